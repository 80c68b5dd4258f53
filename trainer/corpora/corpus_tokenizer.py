"""The tokenizer that a corpus is to be encoded with: loaded, read from a file, or made from text."""

from __future__ import annotations

from pathlib import Path

from trainer.corpora.encode import training_texts
from trainer.corpora.tokenizer import Tokenizer, load_tokenizer, parse_tokenizer, train_tokenizer
from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources.source import Source
from trainer.tokenizer_names import parse_name
from trainer.tokens import TOKENIZER_FILE


def tokenizer_of(
    data: DataConfig, source: Source, file: bytes | None
) -> tuple[Tokenizer, bytes | None]:
    """The tokenizer of a corpus, and the content of its `tokenizer.json` if it has one."""
    if parse_name(data.tokenizer):
        if file is None:
            raise CorpusError(
                f"data.tokenizer = {data.tokenizer!r} was a file, which is needed to prepare the "
                f"corpus; write the path of this {TOKENIZER_FILE} instead"
            )
        return parse_tokenizer(file, "data.tokenizer", data.tokenizer), file
    if not data.tokenizer.startswith("bpe-"):
        return load_tokenizer(data.tokenizer), None
    existing: Path | None = getattr(source, "tokenizer", None)  # of a source that has token files
    if existing is None:
        made = train_tokenizer(data.tokenizer, training_texts(source))
    elif existing.exists():
        made = existing.read_bytes()
    else:
        raise CorpusError(
            f"data.tokenizer = {data.tokenizer!r} cannot be made from ready tokens; put the "
            f"{TOKENIZER_FILE} that they were made with beside them, or use bytes or gpt2"
        )
    tokenizer = parse_tokenizer(made, str(existing or data.corpus))
    if data.tokenizer != f"bpe-{tokenizer.vocabulary}":
        raise CorpusError(
            f"{existing} has {tokenizer.vocabulary} tokens, but data.tokenizer = "
            f"{data.tokenizer!r}; use bpe-{tokenizer.vocabulary}"
        )
    return tokenizer, made
