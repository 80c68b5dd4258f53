"""How an attempt at a run ended, by its process and by the files of its directory."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from sweep.executors.base import Ended
from sweep.trainers.base import Cause, End, failure_signature
from trainer.errors import RunDirectoryError
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

CAUSES: Mapping[int, Cause] = {
    Exit.REFUSED: Cause.REFUSED,
    Exit.OUT_OF_MEMORY: Cause.OUT_OF_MEMORY,
    Exit.DISK_FULL: Cause.DISK_FULL,
    Exit.TAKEN: Cause.TAKEN,
    Exit.STOPPED: Cause.STOPPED,
}
"""By exit status. Any other status is `Cause.FAILED`."""


def find_result(directory: RunDirectory, primary: str | None = None) -> End | None:
    """Return the result in a directory; see `sweep.trainers.base.RunSpec.find_result`.

    `primary`: the metric of a script that its study is about.
    """
    result = directory.read_result()
    if result is None:
        return None
    events = directory.read_events()
    value = result.metrics.get(primary) if primary and result.state == "done" else None
    return End(
        cause=Cause.RESULT, reason=result.cause, result=result, events=events, primary_value=value
    )


def read_end(directory: RunDirectory, ended: Ended, primary: str | None = None) -> End:
    """Return why a process ended; see `sweep.trainers.base.RunSpec.read_end`."""
    try:
        found = find_result(directory, primary) if ended.status == Exit.DONE else None
        return found or _end_without_result(directory, ended)
    except (OSError, RunDirectoryError) as error:
        reason = str(error)
        return End(cause=_cause(ended), reason=reason, signature=failure_signature(reason))


def _end_without_result(directory: RunDirectory, ended: Ended) -> End:
    if ended.signal is not None or ended.out_of_memory:
        return _killed(ended)
    return _exited(directory, ended)


def _killed(ended: Ended) -> End:
    """Return the end of a process that a signal ended."""
    peak = _peak(ended)
    if ended.out_of_memory:
        reason = (
            f"out of memory: the kernel killed it (SIGKILL) at {peak}; set a smaller "
            "jobs.micro_batch, run fewer at once (--slots), or give it more memory"
        )
        return End(cause=Cause.OUT_OF_MEMORY, reason=reason)
    if ended.reason:
        return End(cause=Cause.KILLED, reason=ended.reason)
    number = ended.signal or signal.SIGKILL
    reason = f"killed by signal {number} ({signal.Signals(number).name})"
    if ended.out_of_memory is False:
        reason += f" at {peak}: sent by another process, not by the OOM killer"
    return End(cause=Cause.KILLED, reason=reason)


def _exited(directory: RunDirectory, ended: Ended) -> End:
    """Return the end of a process that exited without a result."""
    cause = _cause(ended)
    output = directory.last_log_line()
    reason = output or f"exited with status {ended.status} and printed nothing"
    if cause is Cause.OUT_OF_MEMORY:
        reason = f"{reason} (at its peak: {_peak(ended)})"
    return End(cause=cause, reason=reason, signature=failure_signature(output))


def _cause(ended: Ended) -> Cause:
    """Return what the exit status alone says."""
    return Cause.FAILED if ended.status is None else CAUSES.get(ended.status, Cause.FAILED)


def _peak(ended: Ended) -> str:
    return f"{ended.peak_bytes / 1e9:.2f} GB resident" if ended.peak_bytes else "memory unknown"
