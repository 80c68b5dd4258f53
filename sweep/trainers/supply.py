"""A corpus that runs read."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.corpora.corpus import Corpus
from trainer.recipe import DataConfig
from trainer.sources.source import Source


@dataclass(frozen=True)
class Supply:
    """A corpus that a plan reads. Its hash is known before it is prepared."""

    data: DataConfig
    source: Source
    hash: str
    corpus: Corpus | None
    """None for a large corpus that is not prepared yet."""
    saved: bool
    """True if its token files are in the cache."""
    tokenizer_file: bytes | None = None
    """The `tokenizer.json` of a tokenizer that the study names by its path."""
