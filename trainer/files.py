"""Files that others see whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a full disk says."""


def write_whole(path: Path, content: bytes) -> None:
    """Write aside, sync, and rename: `path` holds all of `content`, or what it held before."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401  (whatever JSON holds)
    """Write `value` as JSON, whole. Raises ValueError for a NaN, which JSON has no word for."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    write_whole(path, (text + "\n").encode())


def lock(descriptor: int, *, wait: bool) -> bool:
    """Take the flock of an open file; False if another process holds it and `wait` is false.

    It holds until every copy of the descriptor is closed, also those of forked processes: the
    kernel releases it when the last of them ends, however it ends.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
