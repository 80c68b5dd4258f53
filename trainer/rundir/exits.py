"""Exit statuses of a process that trains a run directory. Light to import: no torch here."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit status of a run's process that no signal ended; the log has the message."""

    DONE = 0
    """There is a result; the run may have diverged."""
    FAILED = 1
    """There is no result."""
    REFUSED = 2
    """There is no result, and another attempt would end the same way."""
    OUT_OF_MEMORY = 71
    """There is no result: an allocation was refused, on a GPU or on the CPU.

    A process that the kernel kills for lack of memory ends with SIGKILL instead.
    """
    DISK_FULL = 74
    """There is no result, because the disk is full; another attempt can succeed later."""
    TAKEN = 75
    """Another process trains this run, or a later attempt has replaced this one."""
    STOPPED = 143
    """The run was asked to stop and did, between two steps."""
