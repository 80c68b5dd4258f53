"""The folders of corpora in the cache: their names, finding them, making them."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.files import follow_umask

PREPARING = ".preparing-"
"""Prefix of the name of a folder in which a corpus is being prepared."""


def folder_name(corpus: str, tokenizer: str, hashed: str) -> str:
    """The name of a corpus's folder in the cache: a readable name, the tokenizer and the hash."""
    words = re.sub(r"[^A-Za-z0-9._]+", "-", corpus).strip("-._") or "corpus"
    return f"{words[-60:]}-{tokenizer}-{hashed[:16]}"


def corpus_folders(tokenizer: str, hashed: str, cache: Path) -> list[Path]:
    """The folders of a corpus under any name: usually one; none if it is not in the cache."""
    return sorted(cache.glob(f"[!.]*-{tokenizer}-{hashed[:16]}"))


@contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """Yield a folder that becomes `final` at the end, unless another process was faster.

    It is removed after an error.
    """
    aside = Path(tempfile.mkdtemp(prefix=PREPARING, dir=final.parent))
    try:
        follow_umask(aside)
        yield aside
        try:
            aside.rename(final)
        except OSError:
            if not final.exists():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
