"""Python's own standard library as a corpus: real, offline, on every machine that can run this."""

from __future__ import annotations

import hashlib
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import CorpusError

TEST_SHARE = 0.1
"""Share of the documents that are kept for testing."""

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
"""Folders of tests and of code from elsewhere."""


@dataclass(frozen=True)
class Document:
    """One file: where it lies below the corpus's root, and its text in UTF-8."""

    path: str
    text: bytes

    @property
    def place(self) -> float:
        """A number in [0, 1) from the hash of the path: decides the split and the order."""
        digest = hashlib.sha256(self.path.encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    @property
    def is_test(self) -> bool:
        """Whether the document is kept for testing."""
        return self.place < TEST_SHARE


def standard_library() -> list[Document]:
    """The standard library of the Python that is running; raises CorpusError without one."""
    return python_sources(Path(sysconfig.get_paths()["stdlib"]))


def python_sources(root: Path) -> list[Document]:
    """Every Python file below `root` once, ordered by the hash of its path.

    Raises CorpusError when there is none.
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
