"""Reports of a scheduler, passed on to trackers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.progress.watcher import Stopping, Waiting
from sweep.store.ledger import directory_name
from sweep.store.states import RunState
from sweep.trackers.base import TrackedRun, Verdicts, flat_parameters
from sweep.trackers.channel import Channel, patience
from sweep.trackers.messages import Advanced, Ended, Judged, Message, Started, Stopped
from sweep.trackers.registry import TRACKERS
from sweep.workload.job import Job, labels_of
from trainer.rundir.directory import Event, Result

FOLDER = "trackers"
"""Below the folder of runs: logs of trackers, and what they keep on this machine."""
HURRY_SECONDS = 15.0
"""Seconds to wait for a tracker that takes nothing, after Ctrl-C."""


@dataclass(frozen=True)
class TrackedStudy:
    """What trackers are told of."""

    name: str
    labels: Mapping[str, str]
    """ARM/SEED by run."""
    trackers: Sequence[str]
    """Names of trackers, each once."""


class Tracking:
    """A `Watcher` of a scheduler that tells trackers about runs; it never waits or raises."""

    def __init__(self, study: TrackedStudy, folder: Path, say: Callable[[str], None]) -> None:
        """Start the trackers that are installed; `folder`: of runs."""
        self.study = study
        self._folder = folder
        self._further: dict[str, str] = {}
        """Labels of jobs that were added later."""
        self._say = say
        self._runs: dict[str, TrackedRun] = {}
        there = [name for name in study.trackers if self._is_there(name)]
        self._channels = [Channel(name, folder / FOLDER, say) for name in there]

    @property
    def is_on(self) -> bool:
        """True if a tracker was started."""
        return bool(self._channels)

    def _is_there(self, name: str) -> bool:
        kind = TRACKERS[name]
        if not kind.is_installed:
            self._say(
                f"{kind.title} is not installed, so runs are trained and not sent to it: pip install "
                f"'gpt-sweep[{name}]', and this command, typed again, sends them."
            )
        return kind.is_installed

    def started(self, job: Job, slot: str, steps: int = 0) -> None:  # noqa: ARG002  (a watcher)
        self._put(Started(run=self._run(job)))

    def advanced(self, job: Job, event: Event) -> None:
        self._put(Advanced(key=self._run(job).key, event=event))

    def finished(self, job: Job, result: Result) -> None:  # noqa: ARG002  (a watcher)
        self._put(Ended(run=self._run(job)))

    def elsewhere(self, job: Job, state: RunState) -> None:
        """The command that trains it sends it; `conclude` does if that one has no tracker."""

    def stopped(self, job: Job, reason: str) -> None:  # noqa: ARG002  (a watcher)
        self._put(Stopped(key=self._run(job).key))

    def stopping(self, stopping: Stopping) -> None:
        """Each run that stops is told of."""

    def waiting(self, waiting: Waiting) -> None:
        """Trackers show runs, not the scheduler."""

    def resumed(self) -> None:
        """As `waiting`."""

    def supplied(self, jobs: Mapping[str, Job], news: Sequence[str]) -> None:  # noqa: ARG002
        self._further |= labels_of(jobs)

    def failed(self, job: Job, reason: str, *, pause: float | None) -> None:
        run = self._run(job)
        self._put(Ended(run=run, failure=reason) if pause is None else Stopped(key=run.key))

    def conclude(self, finished: Iterable[Job], verdicts: Verdicts | None) -> None:
        """Send what is missing of the runs that have a result, and the verdicts; waits for that."""
        last: list[Message] = [Ended(run=self._run(job)) for job in finished]
        if verdicts is not None:
            last.append(Judged(verdicts=verdicts))
        self._finish(last, patience())
        for channel in self._channels:
            if channel.link:
                self._say(f"{channel.title}: {channel.link}")

    def hurry(self) -> None:
        """Send what the trackers have been told; for a command that was interrupted."""
        self._finish([], min(patience(), HURRY_SECONDS))

    def release(self) -> None:
        """Leave the rest to the processes of the trackers; does not wait."""
        for channel in self._channels:
            channel.release()

    def _finish(self, messages: Sequence[Message], seconds: float) -> None:
        try:
            for channel in self._channels:
                channel.finish(messages, seconds)
        except KeyboardInterrupt:
            for channel in self._channels:
                channel.kill()
            self._say(
                "Not all was sent to the trackers; this command, typed again, sends the rest."
            )

    def _put(self, message: Message) -> None:
        for channel in self._channels:
            channel.put(message)

    def _run(self, job: Job) -> TrackedRun:
        """The run as trackers show it."""
        if job.run_id not in self._runs:
            known = self.study.labels.get(job.run_id) or self._further.get(job.run_id)
            arm, _, seed = (known or f"runs/{job.run_id[:12]}").rpartition("/")
            self._runs[job.run_id] = TrackedRun(
                study=self.study.name,
                arm=arm,
                seed=seed,
                run_id=job.run_id,
                directory=str((self._folder / directory_name(job.run_id)).resolve()),
                parameters=flat_parameters(job.spec.parameters()),
            )
        return self._runs[job.run_id]
