"""Files: written whole or not at all, locked, synced."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
from pathlib import Path
from typing import Any

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a full disk, or a full quota."""

UMASK = os.umask(0o022)
"""The umask of this process; it can only be read by setting it."""
os.umask(UMASK)


def follow_umask(path: Path) -> None:
    """Give a file or folder the permissions that it would have if this process had just made it.

    For those that a library, or a temporary folder, makes readable for their owner only. A folder
    keeps its setgid bit, by which its files belong to the group that shares it.
    """
    usual = 0o777 if path.is_dir() else 0o666
    path.chmod(path.stat().st_mode & stat.S_ISGID | usual & ~UMASK)


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write to a temporary file, sync and rename: `path` has all of `content`, or is unchanged.

    Without `durable` that holds for other processes, and not after a power failure.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:  # noqa: ANN401  (any JSON value)
    """Write `value` as JSON, whole or not at all. Raises ValueError for NaN, which JSON lacks."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    write_whole(path, (text + "\n").encode(), durable=durable)


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


def share_lock(descriptor: int) -> None:
    """Take the flock of an open file together with others; waits while a process has it alone."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def look_again(folder: Path) -> None:
    """Let a network file system ask its server which files are in a folder.

    NFS remembers for up to a minute that a file is not there, and asks again once the folder is opened
    (nfs(5), "Close-to-open cache consistency").
    """
    with contextlib.suppress(OSError):
        os.close(os.open(folder, os.O_RDONLY))


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
