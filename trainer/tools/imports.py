"""Import what runs import, and print line by line what was found: for `sweep doctor`.

The first line is `{"torch": VERSION, "cuda": true}`, the second one `{"trainer": FILE, "model": FILE}`.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    """Print both lines; a package that cannot be imported leaves its traceback."""
    import torch

    _print({"torch": torch.__version__, "cuda": torch.cuda.is_available()})
    for module in ("trainer.corpora.corpus", "trainer.training.loop"):
        importlib.import_module(module)
    _print({name: sys.modules[name].__file__ for name in ("trainer", "model")})


def _print(found: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
