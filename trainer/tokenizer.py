"""Text to token ids. Every tokenizer has an end-of-text token, which separates documents."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.errors import CorpusError
from trainer.recipe import vocabulary_size

Tokens = NDArray[np.uint16]


class Tokenizer(Protocol):
    """What a corpus needs of a tokenizer."""

    vocabulary: int
    """Number of token ids, end-of-text included."""
    end_of_text: int
    """The id that ends each document."""

    def encode(self, text: bytes) -> Tokens:
        """Token ids of a document in UTF-8, without the end-of-text token."""

    def byte_lengths(self) -> NDArray[np.int64]:
        """Bytes of text behind each token id; the end-of-text token stands for none."""


class ByteTokenizer:
    """One token per byte of UTF-8."""

    vocabulary = vocabulary_size("bytes")
    end_of_text = 256

    def encode(self, text: bytes) -> Tokens:
        return np.frombuffer(text, dtype=np.uint8).astype(np.uint16)

    def byte_lengths(self) -> NDArray[np.int64]:
        lengths = np.ones(self.vocabulary, dtype=np.int64)
        lengths[self.end_of_text] = 0
        return lengths


class GPT2Tokenizer:
    """GPT-2's byte-pair encoding (Radford et al. 2019, section 2.2), by tiktoken."""

    vocabulary = vocabulary_size("gpt2")
    end_of_text = 50_256

    def __init__(self) -> None:
        import tiktoken  # noqa: PLC0415  (slow to import, and not needed for bytes)

        try:
            self._encoding = tiktoken.get_encoding("gpt2")
        except (OSError, ValueError) as error:  # unreachable, or not what was asked for
            raise CorpusError(
                "data.tokenizer = 'gpt2' needs GPT-2's vocabulary, which is downloaded once and "
                "could not be reached; connect to the network, set TIKTOKEN_CACHE_DIR to a folder "
                "that has it, or use data.tokenizer = 'bytes'"
            ) from error

    def encode(self, text: bytes) -> Tokens:
        return np.array(self._encoding.encode_ordinary(text.decode()), dtype=np.uint16)

    def byte_lengths(self) -> NDArray[np.int64]:
        ids = range(self.end_of_text)
        lengths = [len(self._encoding.decode_single_token_bytes(i)) for i in ids]
        return np.array([*lengths, 0], dtype=np.int64)


def load_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a recipe's `data.tokenizer`.

    Raises CorpusError when its vocabulary is neither cached nor reachable.
    """
    return GPT2Tokenizer() if name == "gpt2" else ByteTokenizer()
