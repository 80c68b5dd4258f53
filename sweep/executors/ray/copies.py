"""Copies of folders that follow their originals on another machine, where no disk is shared."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

GROWING = frozenset({"events.jsonl", "log.txt", "attempts.jsonl"})
"""Files that are appended to: of these, only what is new is sent."""
LAST = "result.json"
"""The file that is sent when all others are there."""
NOT_COPIED = frozenset({"lock", "waiting.txt"})
UPDATE_BYTES = 32 * 2**20
"""Bytes that are sent at a time."""

State = tuple[int, int, int]
"""Inode, size and time of change, by which a change is seen; for a file that grows, its inode."""
Known = Mapping[str, tuple[State, int]]
"""What a copy has: for each file the state of the original, and the bytes it has of it."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a file."""

    name: str
    """Path in the folder."""
    offset: int
    content: bytes
    is_last: bool
    state: State


@dataclass(frozen=True, kw_only=True)
class Update:
    """What a copy lacks."""

    pieces: list[Piece]
    removed: list[str]
    is_complete: bool
    """False if there is more than one update can hold."""


def read_update(folder: Path, known: Known) -> Update:
    """Return what a copy of a folder lacks, up to `UPDATE_BYTES`."""
    pieces: list[Piece] = []
    room, names = UPDATE_BYTES, set[str]()
    for path in _files(folder):
        name = str(path.relative_to(folder))
        names.add(name)
        for piece in _pieces(path, name, known):
            if room <= 0:
                return Update(pieces=pieces, removed=[], is_complete=False)
            pieces.append(piece)
            room -= len(piece.content)
    removed = [name for name in known if name not in names]
    return Update(pieces=pieces, removed=removed, is_complete=True)


def _files(folder: Path) -> list[Path]:
    """The files to copy, in the order in which they are sent."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder):  # ignores folders that are removed meanwhile
        folders[:] = [each for each in folders if not each.startswith(".")]
        kept = [each for each in names if not each.startswith(".") and each not in NOT_COPIED]
        found += [Path(root, each) for each in kept]
    return sorted(found, key=lambda path: (path.name == LAST, path))


def _pieces(path: Path, name: str, known: Known) -> Iterator[Piece]:
    """The parts of a file that a copy lacks; none if it has just been removed."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            grows = path.name in GROWING
            state = (
                (found.st_ino, 0, 0) if grows else (found.st_ino, found.st_size, found.st_mtime_ns)
            )
            before, had = known.get(name, (None, 0))
            offset = had if before == state and had <= found.st_size else 0
            if offset == found.st_size and before == state:
                return
            while True:
                file.seek(offset)
                content = file.read(min(UPDATE_BYTES, found.st_size - offset))
                is_last = offset + len(content) >= found.st_size or not content
                yield Piece(name=name, offset=offset, content=content, is_last=is_last, state=state)
                offset += len(content)
                if is_last:
                    return
    except FileNotFoundError:
        return


@dataclass
class Copy:
    """A copy of a folder, which applies updates."""

    folder: Path
    known: dict[str, tuple[State, int]] = field(default_factory=dict)

    def apply(self, update: Update) -> None:
        """Write what is new. A file that does not grow is seen whole or not at all."""
        for piece in update.pieces:
            target = self.folder / piece.name
            target.parent.mkdir(parents=True, exist_ok=True)
            grows = target.name in GROWING
            path = target if grows else target.with_name(f".{target.name}.part")
            with path.open("r+b" if piece.offset else "wb") as file:
                file.seek(piece.offset)
                file.write(piece.content)
            if piece.is_last and not grows:
                path.replace(target)
            self.known[piece.name] = piece.state, piece.offset + len(piece.content)
        for name in update.removed:
            (self.folder / name).unlink(missing_ok=True)
            self.known.pop(name, None)
