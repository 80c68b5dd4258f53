"""Run as jobs of Slurm: arrays of jobs, which wait their turn and go on without this process."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock

from sweep.executors.base import Ended
from sweep.executors.node_ends import Losses, NodeEnds
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slurm.batch import BatchFolder, new_name, read_note, write_batch
from sweep.executors.slurm.client import Client, JobEnd, SlurmError, is_alive
from sweep.executors.slurm.probe import GRACE_SECONDS, Probe
from sweep.executors.slurm.request import check_partition, gres_for, make_order, slurm_of
from sweep.executors.slurm.tracked import (
    ENDING_SECONDS,
    Asked,
    Tracked,
    find_job,
    open_note,
    queue_of,
    tracked,
)
from trainer.processes.worker import STOP
from trainer.rundir.attempt_end import read_end, remove_ends
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

FIRST_RETRY_SECONDS = 15.0
MAX_RETRY_SECONDS = 600.0
"""Seconds between two submissions while Slurm refuses them; doubled from the first to the last."""
FEW_JOBS = 32
LOOK_SECONDS = 1.0
"""Seconds between two looks into the directories of more than `FEW_JOBS` runs."""
FRESH_SECONDS = 1.0
"""Seconds for which an answer of the queue tells whether a job of another scheduler is there."""
REPEAT_SECONDS = 20.0
"""Seconds after which a job is asked to stop again, if it has not."""
TAKEN_AWAY = {"PREEMPTED", "NODE_FAIL", "BOOT_FAIL"}
"""Ends in Slurm's words that no run is the cause of, however often."""


class SlurmExecutor:
    """Submits runs as job arrays, and learns their ends from their directories.

    What Slurm says is used for two things: a job that waits is not a dead one, and one that has left
    the queue without a word is lost.
    """

    can_stop = True
    outlives_scheduler = True

    def __init__(self, settings: ExecutorSettings, client: Client | None = None) -> None:
        self._settings = settings
        self._client = client or Client()
        self._slurm = slurm_of(settings.jobs)
        self._names = [slot.name for slot in settings.slots]
        self._gres = ""
        self._device = "cpu"
        self._largest = 1
        self._at_once: int | None = None
        """Jobs that the next array has at most, after larger ones were refused."""
        self._probe: Probe | None = None
        self._starts: dict[Path, int] = {}
        """Runs and attempts that are not submitted yet."""
        self._jobs: dict[Path, Tracked] = {}
        self._adopted: dict[Path, Tracked] = {}
        self._over: list[Ended] = []
        self._ends = NodeEnds()
        self._losses = Losses()
        self._queue = queue_of([])
        self._polled = -float("inf")
        self._looked = -float("inf")
        self._polling = Lock()
        self._is_silent = False
        """True if Slurm did not answer when it was asked last."""
        self._trouble: str | None = None
        """Slurm's words while it refuses submissions."""
        self._retry_at = 0.0
        self._retry_seconds = FIRST_RETRY_SECONDS

    @property
    def slots(self) -> Sequence[str]:
        return [] if self.hindrance() else self._names

    def prepare(self) -> None:
        self._client.check()
        partitions = check_partition(self._client, self._slurm)
        self._gres = gres_for(self._settings.jobs, self._slurm, gpus=any(partitions.values()))
        self._largest = self._client.largest_array()
        self._probe = Probe(self._client, self._settings, self._slurm, self._gres)
        self._probe.begin()
        self._poll()

    def adopts(self, directory: Path) -> bool:
        path = directory.resolve()
        self._adopted.pop(path, None)
        note = open_note(path)
        if note is None:
            return False
        with self._polling:
            if time.monotonic() - self._polled > FRESH_SECONDS:
                self._poll()
        queue = None if self._is_silent else self._queue
        found = find_job(self._settings.folder, path, note, queue)
        if found:
            self._adopted[path] = found
        return found is not None

    def start(self, directory: Path, slot: str, attempt: int) -> None:  # noqa: ARG002  (Slurm places it)
        path = directory.resolve()
        if job := self._adopted.pop(path, None):
            self._jobs[path] = job
        else:
            self._starts[path] = attempt

    def waiting(self, directory: Path) -> str | None:
        path = directory.resolve()
        if path in self._jobs:
            return self._jobs[path].waiting()
        return (self._trouble or "it is not submitted yet") if path in self._starts else None

    def hindrance(self) -> str | None:
        if self._probe and (waiting := self._probe.hindrance()):
            return waiting
        if self._trouble and self._starts:
            return f"Slurm takes no more jobs for now: {self._trouble}"
        return None

    def wait(self, seconds: float) -> list[Ended]:
        self._submit()
        self._send_requests()
        if time.monotonic() - self._polled > self._slurm.poll_seconds:
            with self._polling:
                self._poll()
        ended = [*self._over, *self._find_ends()]
        self._over.clear()
        for each in ended:
            self._jobs.pop(each.directory, None)
        if not ended:
            time.sleep(seconds)
        return ended

    def stop(self, directory: Path, *, now: bool = False) -> None:
        path = directory.resolve()
        if job := self._jobs.get(path):
            wanted = Asked.KILL if now else Asked.STOP
            if job.asked is not wanted:
                job.asked, job.asked_at = wanted, -float("inf")
        elif self._starts.pop(path, None):
            self._over.append(Ended(path, Exit.STOPPED))

    def release(self, directory: Path) -> None:
        path = directory.resolve()
        self._starts.pop(path, None)
        self._jobs.pop(path, None)

    def close(self) -> None:
        if self._probe:
            self._probe.close()
        self._client.cancel([job.task for job in self._jobs.values() if job.task])
        self._jobs.clear()

    def _submit(self) -> None:
        """Submit what was started, in as few arrays as possible."""
        if not self._starts or time.monotonic() < self._retry_at:
            return
        if self._trouble and not self._found_submitted(self._trouble):
            return
        while self._starts:
            some = dict(islice(self._starts.items(), self._at_once or self._largest))
            folder = BatchFolder(self._settings.folder, new_name(self._settings.study))
            try:
                array = self._submit_array(folder, some)
            except SlurmError as error:
                self._at_once = max(1, len(some) // 2)
                self._refused(str(error))
                return
            except OSError as error:
                self._refused(f"{error.filename or folder.path}: {error.strerror}")
                return
            with contextlib.suppress(OSError):  # it is found in the queue by its name
                folder.note_id(array)
            self._trouble, self._retry_seconds = None, FIRST_RETRY_SECONDS
            self._at_once = self._at_once and min(2 * self._at_once, self._largest)
            for index, (path, attempt) in enumerate(some.items()):
                del self._starts[path]
                self._jobs[path] = Tracked(path, attempt, folder, index, array)

    def _submit_array(self, folder: BatchFolder, some: Mapping[Path, int]) -> int:
        """Submit runs and attempts as one array; returns its id. Raises SlurmError or OSError."""
        facts = self._probe.facts if self._probe else None
        orders = [make_order(self._settings, facts, *each) for each in some.items()]
        for order in orders:
            remove_ends(RunDirectory(order.directory))
        write_batch(folder, orders, self._slurm, self._gres)
        return self._client.submit(folder.script)

    def _found_submitted(self, trouble: str) -> bool:
        """Watch the jobs that Slurm took although sbatch failed, as it does if it times out.

        To submit them again would train their runs twice. False if Slurm does not answer.
        """
        with self._polling:
            self._poll()
        if self._is_silent:
            self._refused(trouble)
            return False
        for path, attempt in [*self._starts.items()]:
            note = read_note(path)
            if note is None or note.attempt != attempt:
                continue
            job = tracked(self._settings.folder, path, note)
            job.update(self._queue)
            if job.queued or read_end(RunDirectory(path), attempt):
                del self._starts[path]
                self._jobs[path] = job
        self._trouble = trouble if self._starts else None
        return True

    def _refused(self, words: str) -> None:
        """Try again later: a limit may be reached. What is wrong for good, the probe has shown."""
        self._trouble = words
        self._retry_at = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, MAX_RETRY_SECONDS)

    def _send_requests(self) -> None:
        """Tell Slurm which jobs to stop, all with the same few commands."""
        now = time.monotonic()
        due = [
            job
            for job in self._jobs.values()
            if job.asked is not Asked.NOTHING and job.task and now - job.asked_at > REPEAT_SECONDS
        ]
        for job in due:
            job.asked_at = now
        running = [job for job in due if job.runs]
        with contextlib.suppress(SlurmError):  # it is asked again
            self._client.cancel([job.task for job in due if job.task and not job.runs])
            for wanted, name in ((Asked.STOP, STOP.name), (Asked.KILL, signal.SIGKILL.name)):
                tasks = [job.task for job in running if job.task and job.asked is wanted]
                self._client.signal(tasks, name, to_all=wanted is Asked.KILL)
        if due:
            self._polled = -float("inf")

    def _poll(self) -> None:
        """Ask Slurm once about all jobs."""
        self._polled = time.monotonic()
        try:
            found = self._client.queue()
        except SlurmError:
            self._is_silent = True
            return
        self._is_silent = False
        self._queue = queue_of(found)
        for job in self._jobs.values():
            job.update(self._queue)
        if self._probe:
            self._probe.update(found)

    def _find_ends(self) -> list[Ended]:
        now = time.monotonic()
        if len(self._jobs) > FEW_JOBS and now - self._looked < LOOK_SECONDS:
            return []
        self._looked = now
        ended = []
        for path, job in self._jobs.items():
            if end := read_end(RunDirectory(path), job.attempt):
                ended.append(self._ends.ended(path, end))
            elif job.gone_since is not None and (lost := self._lost(job, job.gone_since)):
                ended.append(lost)
        return ended

    def _lost(self, job: Tracked, since: float) -> Ended | None:
        """Return the end of a job that left the queue without a word; None if one may still come."""
        gone = time.monotonic() - since
        if gone < (ENDING_SECONDS if job.queued else GRACE_SECONDS) and not job.writes_nothing:
            return None
        end = (job.task and self._client.final_state(job.task)) or JobEnd("unknown to Slurm")
        state = end.state
        if is_alive(state) and gone < ENDING_SECONDS:  # queued again after the last look
            return None
        if found := job.ended_as(state):
            return found
        said = job.folder.last_output(job.index)
        words = f"Slurm job {job.task} left no result ({end.words})" + (f": {said}" if said else "")
        if not job.has_begun:
            return self._ends.not_begun(job.directory, words)
        if state in TAKEN_AWAY:
            return Ended(job.directory, None, lost=words)
        return self._losses.ended(job.directory, words)
