"""From an exception to an exit status and a message in the log."""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback
from collections.abc import Callable

from trainer.errors import (
    CommandError,
    DeviceMemoryError,
    ExecutionSettingError,
    InstructionError,
    RunTakenError,
    UserError,
    WeightsError,
)
from trainer.files import FULL
from trainer.rundir.exits import Exit

_REFUSALS = (CommandError, ExecutionSettingError, InstructionError, WeightsError)
"""Errors after which another attempt would end the same way."""


def exit_status(train: Callable[[], int]) -> int:
    """Call `train`; returns its exit status, or that of the exception which ended it.

    The exception is printed to standard error, which is the run's log: a UserError as its message,
    anything else with its traceback.
    """
    try:
        return train()
    except Exception as error:  # noqa: BLE001  (the run has failed, and the log says why)
        if _is_stop(error):
            return Exit.STOPPED
        status = _status(error)
        with contextlib.suppress(OSError):  # the log may be on the full disk
            if isinstance(error, UserError) or status == Exit.DISK_FULL:
                print(error, file=sys.stderr)  # noqa: T201  (the log)
                return status
            traceback.print_exc()
            if status == Exit.OUT_OF_MEMORY:
                print(_refused_allocation(error), file=sys.stderr)  # noqa: T201  (the log)
        return status


def _is_stop(error: Exception) -> bool:
    """True for a RunStoppedError. A process that trains nothing itself has not imported torch."""
    loop = sys.modules.get("trainer.training.loop")
    return loop is not None and isinstance(error, loop.RunStoppedError)


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, DeviceMemoryError | MemoryError):
        return True
    if "torch" not in sys.modules:
        return False
    from trainer.training.memory import is_out_of_memory

    return is_out_of_memory(error)


def _status(error: Exception) -> Exit:
    if _is_full(error):
        return Exit.DISK_FULL
    if isinstance(error, RunTakenError):
        return Exit.TAKEN
    if isinstance(error, _REFUSALS):
        return Exit.REFUSED
    if _is_out_of_memory(error):
        return Exit.OUT_OF_MEMORY
    return Exit.FAILED


def _is_full(error: BaseException | None) -> bool:
    """True if a full disk caused an error.

    safetensors has no error number: its SafetensorError quotes that of the system in its text.
    """
    while error is not None:
        if getattr(error, "errno", None) in FULL:
            return True
        if f"os error {errno.ENOSPC:d}" in str(error):
            return True
        error = error.__cause__
    return False


def _refused_allocation(error: Exception) -> str:
    """The message for an allocation that was refused, as opposed to an OOM kill."""
    said = " ".join(str(error).split())[:200]
    kind = "Python's MemoryError" if isinstance(error, MemoryError) else type(error).__name__
    return (
        f"out of memory: an allocation was refused ({kind}{': ' if said else ''}{said}), and the "
        "kernel killed nothing; set a smaller jobs.micro_batch, use a smaller model, or raise the "
        "limit (ulimit -v)"
    )
