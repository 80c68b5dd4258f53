"""Token files: a corpus encoded once, named by its content, memory-mapped by every run."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trainer.errors import CorpusError
from trainer.files import write_json
from trainer.recipe import DataConfig, Recipe, vocabulary_size
from trainer.stdlib import TEST_SHARE, Document, standard_library
from trainer.tokenizer import Tokenizer, Tokens, load_tokenizer

Number = TypeVar("Number", np.uint16, np.int64)


@dataclass(frozen=True)
class CorpusInfo:
    """What a corpus is; recorded with each result."""

    corpus: str
    tokenizer: str
    hash: str
    """SHA-256 of the documents' paths and texts and of how they are split."""
    documents: int
    train_tokens: int
    test_tokens: int

    @property
    def folder(self) -> str:
        """The name of its folder in the cache."""
        return f"{self.corpus}-{self.tokenizer}-{self.hash[:16]}"


@dataclass(frozen=True)
class Corpus:
    """A corpus ready to train on; the token arrays may be memory-mapped."""

    info: CorpusInfo
    train: Tokens
    test: Tokens
    byte_lengths: NDArray[np.int64]
    """Bytes of text behind each token id: kept here, so that a run needs no tokenizer."""

    def check_fits(self, recipe: Recipe) -> None:
        """Raise CorpusError when the recipe asks for more text than there is."""
        where = f"the {self.info.corpus} corpus in {self.info.tokenizer} tokens"
        context, wanted = recipe.model.context, recipe.evaluation
        if len(self.train) <= context:
            raise CorpusError(
                f"model.context = {context} is longer than {where}, whose training split has "
                f"{len(self.train)}; use a smaller context"
            )
        end = wanted.start_token + wanted.chunks * wanted.chunk_tokens
        if len(self.test) <= end:
            raise CorpusError(
                f"evaluation asks for {wanted.chunks} chunks of {wanted.chunk_tokens} tokens from "
                f"token {wanted.start_token}, but the test split of {where} has "
                f"{len(self.test)}; use fewer chunks"
            )


def load_corpus(data: DataConfig, cache: Path) -> Corpus:
    """Map the corpus from the cache, or encode it in memory when it is not there.

    Writes nothing: call `save_corpus` when the corpus has been found to fit.
    Raises CorpusError when the text or the tokenizer cannot be had.
    """
    if data.corpus != "python-stdlib":
        raise CorpusError(f"data.corpus = {data.corpus!r}: only 'python-stdlib' can be read so far")
    documents = standard_library()
    digest = _content_hash(documents)
    try:
        return open_corpus(cache / f"{data.corpus}-{data.tokenizer}-{digest[:16]}")
    except FileNotFoundError:
        return _encode(data, documents, digest)


def open_corpus(folder: Path) -> Corpus:
    """Map a saved corpus.

    Raises FileNotFoundError when there is none, CorpusError when its files are damaged.
    """
    if not folder.exists():
        raise FileNotFoundError(folder)
    try:
        info = CorpusInfo(**json.loads((folder / "corpus.json").read_bytes()))
        return Corpus(
            info,
            _map(folder / "train.bin", np.uint16, info.train_tokens),
            _map(folder / "test.bin", np.uint16, info.test_tokens),
            _map(folder / "byte_lengths.bin", np.int64, vocabulary_size(info.tokenizer)),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorpusError(
            f"{folder} is damaged ({error}); remove this folder and run again"
        ) from error


def save_corpus(corpus: Corpus, cache: Path) -> Path:
    """Write the token files below `cache` unless they are there, whole or not at all.

    Safe when two processes save one corpus at once: the first rename wins.
    """
    final = cache / corpus.info.folder
    if final.exists():
        return final
    cache.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".preparing-", dir=cache))
    try:
        aside.chmod(0o755)
        corpus.train.tofile(aside / "train.bin")
        corpus.test.tofile(aside / "test.bin")
        corpus.byte_lengths.tofile(aside / "byte_lengths.bin")
        write_json(aside / "corpus.json", asdict(corpus.info))
        try:
            aside.rename(final)
        except OSError:
            if not final.exists():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return final


def _map(path: Path, kind: type[Number], length: int) -> NDArray[Number]:
    size, expected = path.stat().st_size, length * np.dtype(kind).itemsize
    if size != expected:
        raise ValueError(f"{path.name} has {size} bytes where {expected} are expected")
    return np.memmap(path, dtype=kind, mode="r")


def _encode(data: DataConfig, documents: Sequence[Document], digest: str) -> Corpus:
    tokenizer = load_tokenizer(data.tokenizer)
    train = _concatenate(tokenizer, [d for d in documents if not d.is_test])
    test = _concatenate(tokenizer, [d for d in documents if d.is_test])
    info = CorpusInfo(data.corpus, data.tokenizer, digest, len(documents), len(train), len(test))
    return Corpus(info, train, test, tokenizer.byte_lengths())


def _concatenate(tokenizer: Tokenizer, documents: Sequence[Document]) -> Tokens:
    end = np.array([tokenizer.end_of_text], dtype=np.uint16)
    pieces = [piece for d in documents for piece in (tokenizer.encode(d.text), end)]
    return np.concatenate(pieces) if pieces else end[:0]


def _content_hash(documents: Sequence[Document]) -> str:
    digest = hashlib.sha256(f"split by path, {TEST_SHARE} test\n".encode())
    for document in documents:
        digest.update(f"{document.path}\n{len(document.text)}\n".encode())
        digest.update(document.text)
    return digest.hexdigest()
