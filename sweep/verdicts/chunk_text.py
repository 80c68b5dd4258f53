"""The beginning of chunks of test text, decoded from the token file of a run's corpus."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sweep.store.rows import RunRow
from trainer.corpora.corpus import find_corpus
from trainer.corpora.tokenizer import load_tokenizer
from trainer.errors import CorpusError
from trainer.recipe import Recipe

CHARACTERS = 120
"""Characters of a chunk that are shown at most; no more tokens than that are decoded."""


def read_beginnings(run: RunRow, cache: Path, begins: Sequence[int]) -> list[str]:
    """The text from each of these test tokens on; `�` for bytes that are not UTF-8.

    Raises CorpusError if the corpus is not in the cache any more, is damaged, or its tokenizer
    cannot be loaded.
    """
    recipe = Recipe.model_validate_json(json.dumps(run.recipe))
    corpus = find_corpus(recipe.data.tokenizer, run.corpus_hash, cache)
    if corpus is None:
        raise CorpusError(
            f"the corpus {run.corpus_hash[:16]} is not below {cache} any more; "
            "`sweep data prepare STUDY` makes it again"
        )
    tokenizer = load_tokenizer(recipe.data.tokenizer, cache / corpus.info.folder)
    shown = min(CHARACTERS, recipe.evaluation.chunk_tokens)
    pieces = (corpus.test[begin : begin + shown].tolist() for begin in begins)
    return [tokenizer.decode(piece).decode(errors="replace")[:CHARACTERS] for piece in pieces]
