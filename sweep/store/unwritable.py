"""Say why SQLite cannot open a file, to read it or to write to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

MAX_PATH_BYTES = 512 - len("-journal")
"""Length of a path that SQLite does not open: it needs room for the names of the files beside it."""


def why_not_opened(file: Path, *, read_only: bool) -> str:
    """Return the reason and the remedy, to be added to SQLite's message; empty if none is found."""
    length = len(os.fsencode(file.absolute()))
    if length >= MAX_PATH_BYTES:
        return (
            f" (its path has {length} bytes, and SQLite opens paths of less than {MAX_PATH_BYTES}); "
            "choose a folder with a shorter path with --runs DIR"
        )
    return _not_readable(file) if read_only else next(_not_writable(file), "")


def dangling_link(path: Path) -> str:
    """Return `PATH is a link to X, which does not exist`, for the path or a folder above; or ''."""
    for each in (path, *path.parents):
        if each.is_symlink() and not each.exists():
            return f"{each} is a link to {each.readlink()}, which does not exist"
    return ""


def _not_readable(file: Path) -> str:
    return "" if os.access(file, os.R_OK) else _not_allowed(file, "readable", "r")


def _not_writable(file: Path) -> Iterator[str]:
    """Yield what is wrong with each file and folder that SQLite writes to."""
    beside = [file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm", "-journal")]
    for path in (file.absolute().parent, file, *beside):
        if not path.exists() or os.access(path, os.W_OK):
            continue
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            yield f" ({path} is on a read-only file system); choose another folder with --runs DIR"
        else:
            yield _not_allowed(path, "writable", "w")


def _not_allowed(path: Path, what: str, letter: str) -> str:
    return (
        f" ({path} belongs to {_owner(path)} and is not {what} for you); that user makes it {what} "
        f"for your group with `chmod g+{letter} {path}`, or choose another folder with --runs DIR"
    )


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError):
        return f"user {path.stat().st_uid}"
