"""Token files: a corpus is encoded once, named by its content, and memory-mapped by every run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainer.corpora.cache_folders import corpus_folders, folder_name, new_folder
from trainer.corpora.tokenizer import end_of_text_id
from trainer.errors import CorpusError
from trainer.files import write_json, write_whole
from trainer.recipe import DataConfig, Recipe, vocabulary_size
from trainer.sources.source import Origin
from trainer.tokens import TOKENIZER_FILE, Tokens
from trainer.words import counted

Number = TypeVar("Number", np.uint16, np.int64)

PIECE = 2**20
"""Tokens that are searched at once, so that a search of a large file can end early."""


@dataclass(frozen=True)
class MixturePart:
    """The description of a corpus in a mixture."""

    corpus: str
    hash: str
    share: float
    """The share of the training sequences that are from it."""


@dataclass(frozen=True)
class CorpusInfo:
    """The description of a corpus; recorded with each result."""

    corpus: str
    tokenizer: str
    hash: str
    """SHA-256 of the text, or of the commit that pins it, and of the settings for reading it."""
    documents: int
    train_tokens: int
    test_tokens: int
    files: tuple[str, ...] = ()
    """Names of the files, relative to the corpus; only the first ones if there are many."""
    revision: str | None = None
    """The commit of a dataset on the hub."""
    split: str = ""
    """The rule that selects the test documents, for people."""
    one_text: bool | None = None
    """True for a single text, cut in two. None if 0.1.0 prepared it, which told by the name."""
    mixture: tuple[MixturePart, ...] = ()
    """The corpora that a mixture is drawn from; empty for a plain corpus."""
    tested_on: str = ""
    """The hash of the corpus whose test text a mixture has."""

    @property
    def extent(self) -> str:
        """`300 documents`, or `one text`, with the rule by which test text is chosen."""
        amount = "one text" if self.is_one_text else counted(self.documents, "document")
        return f"{amount} ({self.split})" if self.split else amount

    @property
    def is_one_text(self) -> bool:
        """True for a single text: it is cut in two, and has no documents to count."""
        if self.one_text is not None:
            return self.one_text
        return len(self.files) == 1 and self.files[0].lower().endswith(".txt")

    @classmethod
    def of(
        cls, data: DataConfig, origin: Origin, documents: int, tokens: tuple[int, int]
    ) -> CorpusInfo:
        """Describe a corpus made from `origin`; `tokens` are for training and for testing."""
        return cls(
            data.corpus,
            data.tokenizer,
            origin.hash,
            documents,
            *tokens,
            files=origin.files,
            revision=origin.revision,
            split=origin.split,
            one_text=origin.is_one_text,
        )

    @classmethod
    def parse(cls, text: bytes) -> CorpusInfo:
        """Parse its JSON. Raises ValueError, TypeError or KeyError for anything else."""
        fields = dict(json.loads(text))
        mixture = tuple(MixturePart(**each) for each in fields.get("mixture", ()))
        return cls(**fields | {"files": tuple(fields.get("files", ())), "mixture": mixture})

    def as_json(self) -> dict[str, Any]:
        """The JSON that `parse` reads."""
        of_mixtures = () if self.mixture else ("mixture", "tested_on")
        return {key: value for key, value in asdict(self).items() if key not in of_mixtures}

    @property
    def needs(self) -> frozenset[str]:
        """The hashes of the corpora that a mixture reads; empty for a plain corpus."""
        hashes = {part.hash for part in self.mixture} | {self.tested_on}
        return frozenset(hashes if self.mixture else ())

    @property
    def folder(self) -> str:
        """The name of its folder in the cache."""
        return folder_name(self.corpus, self.tokenizer, self.hash)


@dataclass(frozen=True)
class Part:
    """A corpus in a mixture, and the share of training sequences that are from it."""

    corpus: Corpus
    share: float


@dataclass(frozen=True)
class Corpus:
    """A corpus ready to train on; the token arrays may be memory-mapped."""

    info: CorpusInfo
    train: Tokens  # empty for a mixture
    test: Tokens
    byte_lengths: NDArray[np.int64]
    """Bytes of text per token id, so that a run needs no tokenizer."""
    tokenizer: bytes | None = None
    """`tokenizer.json` of a tokenizer made for this corpus in memory; once saved, it is a file."""

    parts: tuple[Part, ...] = ()
    """What a mixture draws from, in the order of the hashes; empty for a plain corpus."""

    def check_fits(self, recipe: Recipe) -> None:
        """Raise CorpusError if the recipe needs more text than there is."""
        read = [part.corpus for part in self.parts] or [self]
        for corpus in read:
            corpus.check_training(recipe)
        if recipe.data.mask_documents and not any(corpus.has_borders for corpus in read):
            raise CorpusError(
                f"data.mask_documents = true has no effect: the training text of {self._where} is one "
                "document; use a corpus of several, or name what separates them as data.separator"
            )
        self._check_test(recipe)

    @property
    def _where(self) -> str:
        return f"the {self.info.corpus} corpus in {self.info.tokenizer} tokens"

    def check_training(self, recipe: Recipe) -> None:
        """Raise CorpusError if the recipe needs more text for training than there is."""
        where, context, batch = self._where, recipe.model.context, recipe.tokens_per_step
        if not len(self.train):
            raise self._no_text("training")
        if len(self.train) <= context:
            raise CorpusError(
                f"model.context = {context} is longer than {where}, whose training split has "
                f"{len(self.train)}; use a smaller context"
            )
        if len(self.train) <= batch:
            raise CorpusError(
                f"{where} is smaller than one batch: its training split has {len(self.train)} "
                f"tokens, and train.batch_size x model.context is {batch}; use smaller batches"
            )

    def _check_test(self, recipe: Recipe) -> None:
        where, wanted = self._where, recipe.evaluation
        if not len(self.test):
            raise self._no_text("testing")
        end = wanted.start_token + wanted.chunks * wanted.chunk_tokens
        if len(self.test) <= end:
            raise CorpusError(
                f"evaluation asks for {counted(wanted.chunks, 'chunk')} of {wanted.chunk_tokens} tokens from "
                f"token {wanted.start_token}, but the test split of {where} has "
                f"{len(self.test)}; use fewer chunks"
            )

    @property
    def has_borders(self) -> bool:
        """True if the training text has an end-of-text token before its last token."""
        end, text = end_of_text_id(self.info.tokenizer), self.train[:-1]
        pieces = range(0, len(text), PIECE)
        return any(bool((text[first : first + PIECE] == end).any()) for first in pieces)

    def _no_text(self, part: str) -> CorpusError:
        return CorpusError(
            f"{self._where} has no text for {part} (documents: {self.info.documents}; {self.info.split});"
            " use more text, or another data.test_share"
        )


def find_corpus(tokenizer: str, hashed: str, cache: Path) -> Corpus | None:
    """Map the corpus with this hash, under any name; None if it is not in the cache.

    Raises CorpusError if its files are damaged, or belong to another corpus.
    """
    for folder in corpus_folders(tokenizer, hashed, cache):
        corpus = open_corpus(folder)
        if corpus.info.hash != hashed:
            raise CorpusError(
                f"{folder} holds the corpus {corpus.info.hash}, but {hashed} has the same folder "
                "name; remove this folder and run again"
            )
        return corpus
    return None


def open_corpus(folder: Path) -> Corpus:
    """Map a saved corpus.

    Raises FileNotFoundError if there is none, CorpusError if its files are damaged.
    """
    if not folder.exists():
        raise FileNotFoundError(folder)
    try:
        info = CorpusInfo.parse((folder / "corpus.json").read_bytes())
        if info.mixture:
            return _open_mixture(info, folder)
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


def _open_mixture(info: CorpusInfo, folder: Path) -> Corpus:
    """Map the corpora of a mixture, which are beside it. Raises CorpusError if one is missing."""
    found = {hashed: find_corpus(info.tokenizer, hashed, folder.parent) for hashed in info.needs}
    there = {hashed: corpus for hashed, corpus in found.items() if corpus is not None}
    if missing := sorted(info.needs - there.keys()):
        raise CorpusError(
            f"{folder} is a mixture, and its corpus {missing[0][:16]} is not beside it any more; "
            "`sweep data prepare STUDY` makes it again"
        )
    tested = there[info.tested_on]
    parts = tuple(Part(there[part.hash], part.share) for part in info.mixture)
    return Corpus(info, tested.train[:0], tested.test, tested.byte_lengths, parts=parts)


def save_corpus(corpus: Corpus, cache: Path) -> Path:
    """Write the token files below `cache`, whole or not at all, unless they exist.

    Two processes may save one corpus at the same time: the first rename wins.
    """
    final = cache / corpus.info.folder
    if final.exists():
        return final
    cache.mkdir(parents=True, exist_ok=True)
    with new_folder(final) as aside:
        corpus.train.tofile(aside / "train.bin")
        corpus.test.tofile(aside / "test.bin")
        if corpus.tokenizer is not None:
            write_whole(aside / TOKENIZER_FILE, corpus.tokenizer)
        write_rest(aside, corpus.info, corpus.byte_lengths)
    return final


def write_rest(folder: Path, info: CorpusInfo, byte_lengths: NDArray[np.int64]) -> None:
    """Write the files of a corpus other than its tokens."""
    byte_lengths.tofile(folder / "byte_lengths.bin")
    write_json(folder / "corpus.json", info.as_json())


def _map(path: Path, kind: type[Number], length: int) -> NDArray[Number]:
    size, expected = path.stat().st_size, length * np.dtype(kind).itemsize
    if size != expected:
        raise ValueError(f"{path.name} has {size} bytes where {expected} are expected")
    if not length:  # an empty file cannot be mapped
        return np.empty(0, dtype=kind)
    return np.memmap(path, dtype=kind, mode="r")
