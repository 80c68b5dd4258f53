"""List the corpora in the cache, complete or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.machine.disk import size_of
from trainer.corpora.cache_folders import PREPARING
from trainer.corpora.corpus import CorpusInfo, open_corpus
from trainer.errors import CorpusError


@dataclass(frozen=True)
class Entry:
    """A corpus in the cache."""

    folder: Path
    info: CorpusInfo | None
    """None if the corpus is incomplete or damaged."""
    size: int
    """Bytes on the disk."""

    @property
    def is_finished(self) -> bool:
        """True if its preparation has ended. Its files may have been damaged since."""
        return not self.folder.name.startswith(PREPARING)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON that `sweep data list --format json` prints for it."""
        about = self.info.as_json() if self.info else {"corpus": None}
        return {**about, "folder": str(self.folder), "bytes": self.size}

    def is_called(self, name: str) -> bool:
        """True if `name` is its folder, its name, or at least four digits of its hash."""
        names = {self.folder.name, str(self.folder)} | ({self.info.corpus} if self.info else set())
        is_hash = len(name) >= 4 and self.info is not None and self.info.hash.startswith(name)
        return name in names or is_hash


def find_entries(cache: Path) -> list[Entry]:
    """Return the corpora in a cache, sorted by name."""
    folders = sorted(path for path in cache.glob("*") if path.is_dir())
    corpora = [p for p in folders if p.name.startswith(PREPARING) or _has_tokens(p)]
    return [Entry(folder, _info(folder), size_of(folder)) for folder in corpora]


def _has_tokens(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("corpus.json", "train.bin"))


def _info(folder: Path) -> CorpusInfo | None:
    try:
        return None if folder.name.startswith(PREPARING) else open_corpus(folder).info
    except (CorpusError, FileNotFoundError):
        return None
