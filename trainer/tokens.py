"""Token ids in memory, and the file that says what they stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.uint16]
"""Token ids in a row; two bytes hold every vocabulary (`trainer.tokenizer_names.MAX_VOCABULARY`)."""

TOKENIZER_FILE = "tokenizer.json"
"""The file of a tokenizer, in the format of Hugging Face's `tokenizers`.

A corpus keeps the tokenizer that was made from it under this name, and so does a run.
"""

END_OF_TEXT = "<|endoftext|>"
"""The name of the end-of-text token; in a document it is plain text."""
