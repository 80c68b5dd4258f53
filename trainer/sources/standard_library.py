"""Python's standard library as a corpus: real text, offline, on every machine with Python."""

from __future__ import annotations

import hashlib
import os
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources.source import Origin, Piece, Text, first_names, part_of_one

LEFT_OUT = frozenset(
    {
        "__pycache__",
        "_bundled",  # ensurepip's wheels
        "dist-packages",
        "idle_test",
        "lib2to3",  # mostly test data, and gone from Python 3.13
        "site-packages",
        "test",
        "tests",
    }
)
"""Folders of tests and of third-party code."""


@dataclass(frozen=True)
class Document:
    """One file: its path relative to the corpus's root, and its text in UTF-8."""

    path: str
    text: bytes

    @property
    def place(self) -> float:
        """A number in [0, 1) from the hash of the path; decides the split and the order."""
        return part_of_one(hashlib.sha256(self.path.encode()).digest())


class StandardLibrary:
    """The standard library of the running Python as a corpus."""

    def __init__(self, data: DataConfig) -> None:
        self._data = data

    @cached_property
    def _documents(self) -> list[Document]:
        return standard_library()

    def origin(self) -> Origin:
        share = self._data.test_share
        return Origin(
            content_hash(self._documents, self._data),
            first_names([document.path for document in self._documents]),
            None,
            f"{share:g} of the documents are for testing, by the SHA-256 of their path",
        )

    @property
    def size(self) -> int:
        return sum(len(document.text) for document in self._documents)

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        for index in range(resume or 0, len(self._documents)):
            document = self._documents[index]
            is_test = document.place < self._data.test_share
            text = Text(document.text, is_test)
            yield Piece(len(document.text), index + 1, partial(iter, (text,)))


def content_hash(documents: Sequence[Document], data: DataConfig) -> str:
    """SHA-256 of paths and texts, and of the settings that split them."""
    digest = hashlib.sha256(f"split by path, {data.test_share} test\n".encode())
    if data.max_tokens is not None:
        digest.update(f"no more than {data.max_tokens} tokens for training\n".encode())
    for document in documents:
        digest.update(f"{document.path}\n{len(document.text)}\n".encode())
        digest.update(document.text)
    return digest.hexdigest()


def standard_library() -> list[Document]:
    """The standard library of the running Python. Raises CorpusError if it has no source files."""
    return python_sources(Path(sysconfig.get_paths()["stdlib"]))


def python_sources(root: Path) -> list[Document]:
    """Every distinct Python file below `root`, ordered by the hash of its path.

    Raises CorpusError if there is none.
    """
    distinct: dict[bytes, Document] = {}
    for path in _source_files(root):
        text = path.read_bytes()
        if text and _is_utf8(text):
            document = Document(path.relative_to(root).as_posix(), text)
            distinct.setdefault(hashlib.sha256(text).digest(), document)
    if not distinct:
        raise CorpusError(
            f"data.corpus = 'python-stdlib': no Python source under {root}; "
            "use a Python installed with its standard library as files"
        )
    return sorted(distinct.values(), key=lambda document: (document.place, document.path))


def _source_files(root: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        below[:] = sorted(d for d in below if d not in LEFT_OUT and not d.startswith("config-"))
        for name in sorted(names):
            # _sysconfigdata is generated at build time and holds the paths of one machine.
            path = Path(folder, name)
            if name.endswith(".py") and not name.startswith("_sysconfigdata") and path.is_file():
                yield path


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
