"""Bytes on a disk: how many something takes, how many are free."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; a link counts as itself."""
    if path.is_symlink() or not path.is_dir():
        return _bytes(path)
    return sum(_bytes(Path(folder, name)) for folder, _, names in os.walk(path) for name in names)


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:  # somebody has removed it just now
        return 0


def free_bytes(folder: Path) -> int:
    """What is free on the disk where a folder is, or will be."""
    return shutil.disk_usage(existing(folder)).free


def existing(folder: Path) -> Path:
    """A folder, or the nearest one above it that is there."""
    path = folder.absolute()
    return next(each for each in (path, *path.parents) if each.exists())
