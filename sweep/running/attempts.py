"""The attempts that run at the moment: each in a slot of the executor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sweep.executors.base import Ended, Executor
from sweep.queue.changes import Change, Claim
from sweep.running.attempt import Running, StopRequest, change_after, prepare_all
from sweep.store.ledger import directory_name
from sweep.study.jobs_section import Jobs
from sweep.workload.job import Job
from trainer.rundir.directory import RunDirectory


class Attempts:
    """Starts attempts in free slots, watches them, and says what to record when they have ended."""

    def __init__(self, executor: Executor, folder: Path, settings: Jobs) -> None:
        self._executor = executor
        self._folder = folder
        self._settings = settings
        self._running: dict[Path, Running] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[Running]:
        """All attempts; they may be changed while they are gone through."""
        return iter([*self._running.values()])

    @property
    def free(self) -> list[str]:
        """The slots without a run. An executor may have more or fewer than a moment ago."""
        busy = {run.slot for run in self._running.values()}
        return [slot for slot in self._executor.slots if slot not in busy]

    def begin(self, claimed: Sequence[tuple[Job, Claim]]) -> list[tuple[Running, Change | None]]:
        """Start claimed runs, at most one per free slot.

        Returns a change to record for each that has a result already or cannot start, else None.
        """
        ready = [
            Running(job, slot, RunDirectory(self._folder / directory_name(job.run_id)), claim)
            for (job, claim), slot in zip(claimed, self.free, strict=False)
        ]
        begun = list(zip(ready, prepare_all(ready, self._settings, self._executor), strict=True))
        for run, change in begun:
            if change is None:
                self._running[run.directory.path.resolve()] = run
                self._executor.start(run.directory.path, run.slot, run.claim.attempt)
        return begun

    def newly_running(self, ended: Sequence[Ended]) -> list[Running]:
        """Return the attempts that run, or have just ended, and were not returned before."""
        over = {each.directory for each in ended}
        found = [
            run
            for path, run in self._running.items()
            if not run.was_seen and (path in over or self._executor.waiting(path) is None)
        ]
        for run in found:
            run.was_seen = True
        return found

    def end(self, ended: Ended) -> tuple[Job, Change]:
        """Free the slot of an attempt that has ended; returns what to record."""
        run = self._running.pop(ended.directory)
        run.note_waiting(None)
        return run.job, change_after(run, ended, self._settings)

    def check(self, passed: float) -> None:
        """Stop attempts that have exceeded a time limit; `passed`: seconds since the last call."""
        for run in self:
            run.note_waiting(self._executor.waiting(run.directory.path))
            run.update_times(passed)
            exceeded = run.exceeded_limit(self._settings)
            if exceeded and not run.stop:
                self.ask_to_stop(run, exceeded)
            elif run.stopping > self._settings.stop_seconds:
                self._executor.stop(run.directory.path, now=True)

    def ask_to_stop(self, run: Running, request: StopRequest) -> None:
        """Ask an attempt to stop at its next step, unless it was asked before."""
        if not run.stop:
            run.stop = request
            self._executor.stop(run.directory.path)

    def let_go(self, run: Running) -> None:
        """Forget an attempt without stopping it; another scheduler watches its job."""
        del self._running[run.directory.path.resolve()]
        self._executor.release(run.directory.path)

    def close(self, *, leave: bool) -> list[Job]:
        """Kill all that run, or leave them running; returns their jobs."""
        left = [*self]
        for run in left:
            if leave:
                self.let_go(run)
            else:
                self._executor.stop(run.directory.path, now=True)
        return [run.job for run in left]
