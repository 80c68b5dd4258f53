"""Corpora that tests write, and how they prepare them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from trainer.corpora.corpus import Corpus
from trainer.corpora.prepare import load_small, prepare_corpus
from trainer.corpora.tokenizer import ByteTokenizer, end_of_text_id
from trainer.recipe import DataConfig
from trainer.sources.catalogue import find_source
from trainer.tokens import Tokens

TEXTS = [f"Document {i}: größer, 三.\n" + "word " * (i % 7) for i in range(300)]


def prepare(corpus: Path, cache: Path, **fields: Any) -> Corpus:  # noqa: ANN401  (data fields)
    data = DataConfig.model_validate({"corpus": str(corpus), **fields})
    return prepare_corpus(data, find_source(data, cache), cache)


def read(corpus: Path, **fields: Any) -> Corpus:  # noqa: ANN401  (data fields)
    """The same as `prepare`, in memory."""
    data = DataConfig.model_validate({"corpus": str(corpus), **fields})
    small = load_small(data, find_source(data, corpus.parent))
    assert small
    return small


def write_jsonl(path: Path, texts: list[str], column: str = "text") -> Path:
    path.write_text("".join(json.dumps({column: text, "id": 1}) + "\n" for text in texts))
    return path


def write_parquet(path: Path, texts: list[str], rows: int = 40) -> Path:
    table = pa.table({"id": [str(i) for i in range(len(texts))], "text": texts})
    pq.write_table(table, path, row_group_size=rows)
    return path


def write_folder(path: Path, texts: list[str]) -> Path:
    path.mkdir()
    for i, text in enumerate(texts):
        (path / f"{i:03}.txt").write_text(text)
    return path


WRITERS: dict[str, Callable[[Path, list[str]], Path]] = {
    "c.jsonl": write_jsonl,
    "c.parquet": write_parquet,
    "folder": write_folder,
}


def write_tokens(folder: Path, **parts: Any) -> Path:  # noqa: ANN401  (arrays)
    folder.mkdir(exist_ok=True)
    for name, tokens in parts.items():
        save_file({"tokens": tokens}, folder / f"{name}.safetensors")
    return folder


def lines_as_documents(tokens: Tokens) -> Tokens:
    """A text in bytes, with the end-of-text token in place of each line's end."""
    return np.where(tokens == ord("\n"), end_of_text_id("bytes"), tokens).astype(tokens.dtype)


def documents(corpus: Corpus) -> tuple[list[str], list[str]]:
    """The texts for training and for testing."""
    tokenizer = ByteTokenizer()
    both = (
        tokenizer.decode(tokens.tolist()).decode().split("<|endoftext|>")[:-1]
        for tokens in (corpus.train, corpus.test)
    )
    train, test = both
    return train, test
