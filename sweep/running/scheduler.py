"""The scheduler: keeps all slots busy until every job has an outcome, and records the outcomes."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from sweep.errors import StoreBusyError
from sweep.executors.base import Ended, Executor
from sweep.progress.watcher import Stop, Stopping, Summary, Waiting, Watcher
from sweep.progress.words import stop_words
from sweep.queue.changes import Change, Claim, released
from sweep.queue.control import is_paused
from sweep.queue.leases import RENEW_SECONDS
from sweep.queue.queue import EXTRA_CLAIMS, FEW_EXTRA_CLAIMS, Queue
from sweep.running.attempt import StopRequest
from sweep.running.attempts import Attempts
from sweep.running.budget import Spending
from sweep.running.obstacles import Obstacles
from sweep.running.retries import MIN_ALIKE, FailurePattern
from sweep.running.rounds import Rounds
from sweep.running.settings import CHECK_SECONDS, TICK_SECONDS, Settings
from sweep.store.states import AttemptOutcome, RunState
from sweep.trainers.base import Cause
from sweep.workload.job import Job


class Scheduler:
    """Claims jobs, runs them in an executor, and records their outcomes."""

    def __init__(
        self, queue: Queue, executor: Executor, folder: Path, watcher: Watcher, settings: Settings
    ) -> None:
        self._queue = queue
        self._executor = executor
        self._watcher = watcher
        self._settings = settings
        self._spending = Spending(settings.budget)
        self._stop: Stopping | None = None
        self._reported: Stopping | Waiting | None = None
        self._obstacles = Obstacles(folder)
        self._pattern = FailurePattern()
        self._attempts = Attempts(executor, folder, settings.jobs)
        self._pending: deque[Job] = deque()
        self._source = settings.source
        self._elsewhere: list[Job] = []
        """Jobs that another scheduler holds, or that wait for a retry."""
        self._closed: list[Job] = []
        """Jobs that have failed or were cancelled; `sweep retry` may queue them again."""
        self._unrecorded: list[tuple[Job, Change]] = []
        self._extra_claims = FEW_EXTRA_CLAIMS
        self._renewed = self._checked = time.monotonic()
        self._summary = Summary()
        self._rounds = Rounds(settings.supplier, watcher, self._summary)

    def stop(self, why: Stop = Stop.KEYBOARD) -> None:
        """Claim no more runs; running ones stop at their next step. Safe in a signal handler."""
        self._stop = self._stop or Stopping(why)
        self._summary.interrupted = True

    def run(self, jobs: Iterable[Job]) -> Summary:
        """Work until every job has an outcome, or until `stop` was called and all slots are free.

        Raises StoreError or ExecutionError if it cannot continue; recorded results are kept.
        """
        self._pending.extend(jobs)
        self._executor.prepare()
        try:
            with contextlib.suppress(StoreBusyError):  # the next turn reports it
                self._check_pause()  # it may have been paused while the executor prepared
            while self._has_work() or self._gets_more():
                self._turn()
                if self._refill():
                    self._turn()
                hurry = self._unrecorded and not self._obstacles.database
                over = self._executor.wait(0.001 if hurry else TICK_SECONDS)
                self._show_progress(over)  # also the last points of the runs that have ended
                for ended in over:
                    self._add(*self._attempts.end(ended))
                self._check_all()
                self._report()
        finally:
            self._release_all()
        return self._summary

    def _has_work(self) -> bool:
        more = self._pending or self._elsewhere or not self._source.is_over
        waiting = bool(more) and not self._stop and self._spending.room != 0
        return waiting or bool(self._unrecorded or (self._attempts and not self._leaves))

    @property
    def _leaves(self) -> bool:
        """True if it ends now and leaves its runs to the next scheduler."""
        lasting = self._executor.outlives_scheduler
        return lasting and self._stop is not None and self._stop.stop is Stop.HANGUP

    def _gets_more(self) -> bool:
        """Ask for the next round of jobs, when all have ended; False if there is none."""
        if self._stop:
            return False
        room, waiting = self._spending.room, bool(self._pending or self._elsewhere)
        got = self._take(lambda: self._rounds.next(room, waiting=waiting))
        return got or bool(self._obstacles.database)

    def _refill(self) -> bool:
        """Ask the source for jobs if a slot is free; True if there are some."""
        free = len(self._attempts.free) - len(self._pending)
        if self._source.is_over or free <= 0 or self._stop or self._obstacles.waiting():
            return False
        return self._take(lambda: self._source.next(free))

    def _take(self, give: Callable[[], Sequence[Job]]) -> bool:
        """Add the jobs that `give` returns; True if there are some."""
        try:
            jobs = give()
        except StoreBusyError as error:
            self._obstacles.database = str(error)
            return False
        self._pending.extend(jobs)
        return bool(jobs)

    def _turn(self) -> None:
        """Record ended attempts and claim a run for each free slot, in one transaction."""
        obstacles = self._obstacles
        outcomes = [change.outcome for _, change in self._unrecorded]
        failing = AttemptOutcome.FAILED in outcomes  # it may end the study
        cannot_start = self._stop or obstacles.disk_full or obstacles.paused or failing
        free, room = len(self._attempts.free), self._spending.room
        number = 0 if cannot_start else free if room is None else min(free, room)
        wanted = {
            job.run_id: job for job in islice(self._pending, number and number + self._extra_claims)
        }
        try:
            turn = self._queue.turn([change for _, change in self._unrecorded], [*wanted], number)
        except StoreBusyError as error:
            obstacles.database = str(error)
            return
        obstacles.database = None
        self._extra_claims = EXTRA_CLAIMS if turn.unavailable else FEW_EXTRA_CLAIMS
        settled, self._unrecorded = self._unrecorded, []
        for job, change in settled:
            self._settle(job, change, kept=change.run_id in turn.kept)
        for _ in wanted:
            self._pending.popleft()
        claims = {claim.run_id: claim for claim in turn.claimed}
        rest = [
            job for job in wanted.values() if job.run_id not in turn.unavailable | claims.keys()
        ]
        self._pending.extendleft(reversed(rest))
        self._elsewhere.extend(wanted[run_id] for run_id in turn.unavailable)
        self._begin([(wanted[run_id], claim) for run_id, claim in claims.items()])

    def _settle(self, job: Job, change: Change, *, kept: bool) -> None:
        """Handle a change after its transaction; if not `kept`, another scheduler holds the run."""
        if not kept:
            self._elsewhere.append(job)  # its new holder records the outcome
        elif change.result:
            self._pattern.saw_success()
            self._obstacles.saw_success()
            self._summary.finished += 1
            self._watcher.finished(job, change.result)
        elif change.outcome is AttemptOutcome.FAILED:
            self._settle_failure(job, change)
        else:
            self._pending.append(job)
            self._watcher.stopped(job, change.reason or "")

    def _settle_failure(self, job: Job, change: Change) -> None:
        again, reason = change.state is RunState.QUEUED, change.reason or ""
        self._watcher.failed(job, reason, pause=change.pause if again else None)
        self._summary.failed += not again
        self._pattern.min_alike = max(len(self._executor.slots), MIN_ALIKE)
        (self._pending if again else self._closed).append(job)
        if self._pattern.saw_failure(change, for_good=not again):
            self._give_up(Stopping(Stop.ALL_FAIL_ALIKE, self._pattern.failed, reason))
        elif self._settings.fail_fast and not again:
            self._give_up(Stopping(Stop.FAIL_FAST, 1, reason))

    def _give_up(self, why: Stopping) -> None:
        """Stop for good, if there is anything left to stop."""
        if self._pending or self._elsewhere or self._attempts or not self._source.is_over:
            self._stop = self._stop or why
            self._summary.gave_up = self._summary.gave_up or why

    def _begin(self, claimed: Sequence[tuple[Job, Claim]]) -> None:
        """Start the claimed runs, except those that have a result already or cannot start."""
        for job, _ in claimed:
            self._spending.saw_start(job.run_id)
        for run, change in self._attempts.begin(claimed):
            if change:
                self._add(run.job, change)
        self._show_progress()  # an executor may train within its `wait`

    def _add(self, job: Job, change: Change) -> None:
        """Record a change in the next turn."""
        if change.cause is Cause.DISK_FULL:
            self._obstacles.saw_full_disk()
        self._unrecorded.append((job, change))

    def _show_progress(self, over: Sequence[Ended] = ()) -> None:
        for run in self._attempts.newly_running(over):
            self._watcher.started(run.job, run.slot, run.steps_before)
        for run in self._attempts:
            for event in run.progress():
                self._watcher.advanced(run.job, event)
                with contextlib.suppress(StoreBusyError):  # the next point is as good
                    self._rounds.tell(self._source.advanced(run.job, event))

    def _check_all(self) -> None:
        """Once per `CHECK_SECONDS`: check the disk, the database, and the running attempts."""
        passed = time.monotonic() - self._checked
        if passed < CHECK_SECONDS:
            return
        self._checked = time.monotonic()
        self._obstacles.check_disk()
        self._obstacles.executor = self._executor.hindrance()
        with contextlib.suppress(StoreBusyError):  # the next turn reports it
            self._check_others()
            self._renew_leases()
        self._attempts.check(passed)

    def _check_others(self) -> None:
        """Check which runs were lost, and which jobs of other schedulers are finished or free."""
        self._check_lost()
        self._check_pause()
        if self._elsewhere:
            self._queue.reclaim_lost()
        known = self._elsewhere + self._closed
        states = self._queue.store.states([job.run_id for job in known])
        for job in self._elsewhere:
            if not states[job.run_id].is_open:
                self._watcher.elsewhere(job, states[job.run_id])
        self._pending += [job for job in known if states[job.run_id].is_open]
        self._closed = [job for job in known if states[job.run_id].is_closed]
        self._elsewhere.clear()

    def _check_lost(self) -> None:
        """Stop the runs that were cancelled, or taken over; a job that was taken over is let go."""
        lost = self._queue.lost()
        states = self._queue.store.states([*lost]) if lost else {}
        for run in self._attempts:
            if run.job.run_id not in lost:
                continue
            why = "cancelled, or taken over by another scheduler"
            is_cancelled = states[run.job.run_id] is RunState.CANCELLED
            if is_cancelled or not self._executor.outlives_scheduler:
                self._attempts.ask_to_stop(run, StopRequest(Cause.STOPPED, why))
            else:
                self._attempts.let_go(run)
                self._elsewhere.append(run.job)
                self._watcher.stopped(run.job, "another scheduler watches it")

    def _check_pause(self) -> None:
        paused = is_paused(self._queue.store, self._settings.study)
        self._obstacles.paused = self._settings.study if paused else None

    def _renew_leases(self) -> None:
        if time.monotonic() - self._renewed > RENEW_SECONDS:
            self._queue.renew()
            self._renewed = time.monotonic()

    def _report(self) -> None:
        """Report once why no run is started, and stop the running ones if necessary."""
        why = self._stop or self._obstacles.waiting()
        if self._leaves:
            return
        if why != self._reported:
            self._reported = why
            if why is None:
                self._watcher.resumed()
            elif isinstance(why, Stopping):
                self._watcher.stopping(why)
            else:
                self._watcher.waiting(why)
        if self._stop or self._obstacles.paused:
            reason = stop_words(self._stop) if self._stop else "the study was paused"
            for run in self._attempts:
                self._attempts.ask_to_stop(run, StopRequest(Cause.STOPPED, reason))

    def _release_all(self) -> None:
        """Queue the runs again that are left if the scheduler ends early.

        Those that would end with it are killed. Others go on, unless a second Ctrl-C asks for their
        end; the next scheduler adopts them.
        """
        at_keyboard = self._stop is not None and self._stop.stop is Stop.KEYBOARD
        leave = self._executor.outlives_scheduler and not at_keyboard
        left = self._attempts.close(leave=leave)
        self._summary.left_running = len(left) if leave else 0
        why = "its scheduler ended early" + (", and its job goes on" if leave else "")
        early = [released(job.run_id, Cause.STOPPED, why) for job in left]
        with contextlib.suppress(StoreBusyError):  # otherwise their leases expire
            self._queue.turn([*early, *(change for _, change in self._unrecorded)])
