"""Tell whether a command is training a study, or waits until it is resumed, by a shared file lock.

A paused study has no leases, because its runs are queued.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sweep.store.ledger import STUDIES, study_file
from sweep.store.states import RunState
from sweep.store.store import Store


@contextlib.contextmanager
def present(store: Store, study: str | None) -> Iterator[None]:
    """Show other processes that this one is training a study, until the end of the block.

    Training does not depend on it: on a disk without locks, other processes do not see it.
    """
    path = _lock_file(store, study)
    descriptor = None
    with contextlib.suppress(OSError):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def is_present(store: Store, study: str) -> bool:
    """True if a process trains a study, or waits until it is resumed."""
    path = _lock_file(store, study)
    try:
        descriptor = os.open(path, os.O_RDONLY) if path else None
    except OSError:
        return False
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def is_trained(store: Store, study: str) -> bool:
    """True if a command is training a study, here or on another machine."""
    states = store.states_by_arm(study).values()
    return is_present(store, study) or any(each[RunState.RUNNING] for each in states)


def _lock_file(store: Store, study: str | None) -> Path | None:
    if store.ledger is None or study is None:
        return None
    return (store.ledger.folder / STUDIES / study_file(study)).with_suffix(".lock")
