"""A queue for tests that handle one run at a time; a scheduler handles many in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.queue.changes import Claim, failed, recorded, released
from sweep.queue.queue import Queue
from sweep.store.find_run import find_run
from sweep.store.rows import RunRow
from sweep.trainers.base import Cause, End
from trainer.rundir.directory import Event, Result


def failing(reason: str) -> End:
    """The end of an attempt that failed for a reason that only its output tells."""
    return End(cause=Cause.FAILED, reason=reason)


class OneByOne(Queue):
    """Claims, records, releases and fails a single run; each method tells whether it succeeded."""

    def claim(self, run_id: str) -> Claim | None:
        """Claim a queued run; None if it cannot be claimed."""
        claimed = self.turn([], [run_id], 1).claimed
        return claimed[0] if claimed else None

    def record(
        self, run_id: str, result: Result, events: Sequence[Event], peak_bytes: int | None
    ) -> bool:
        """Store the outcome of a run with its curve and chunk losses."""
        end = End(cause=Cause.RESULT, result=result, events=events)
        return bool(self.turn([recorded(run_id, end, peak_bytes)]).kept)

    def release(self, run_id: str, reason: str) -> bool:
        """Put a run that was stopped back into the queue."""
        return bool(self.turn([released(run_id, Cause.STOPPED, reason)]).kept)

    def fail(self, run_id: str, reason: str, peak_bytes: int | None, *, retry: bool) -> bool:
        """End a failed attempt, and queue the run again if `retry`."""
        again = 0.0 if retry else None
        return bool(self.turn([failed(run_id, failing(reason), peak_bytes, again)]).kept)

    def row(self, run_id: str) -> RunRow:
        """Return all columns of a run."""
        return find_run(self.store, run_id).run
