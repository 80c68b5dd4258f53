"""Follow a study that other processes train, by its database and its run directories."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sweep.progress.event_file import BaselineCurves, EventFile
from sweep.progress.gauges import MachineGauges
from sweep.progress.screen import Screen, SlotRow, Standing, with_events
from sweep.progress.surroundings import Surroundings
from sweep.progress.time_left import TimeLeft
from sweep.progress.words import left_words, result_words
from sweep.store.ledger import directory_name
from sweep.store.metrics import run_metrics
from sweep.store.places import Place, find_places, runs_by_id, study_attempts
from sweep.store.rows import AttemptRow, StudyRow
from sweep.store.states import AttemptOutcome, RunState
from sweep.store.store import Store
from sweep.trainers.base import UNKNOWN_COST, Cost
from sweep.trainers.stored_recipes import stored_cost
from sweep.workspace import Workspace

ANY_SEEDS = {"init": 0, "order": 0, "dropout": 0}
"""The cost of a run does not depend on its seeds."""


@dataclass(frozen=True)
class StoredSpec:
    """What the estimate of time needs to know of a run."""

    cost: Cost


@dataclass(frozen=True)
class StoredJob:
    """A run of the database, for the estimate of time."""

    run_id: str
    family: str
    spec: StoredSpec


@dataclass(frozen=True)
class News:
    """A line on a run, and its style."""

    line: str
    style: str = ""


class Follower:
    """Reads what changes while a study runs."""

    def __init__(
        self, workspace: Workspace, store: Store, study: StudyRow, surroundings: Surroundings
    ) -> None:
        self._workspace = workspace
        self._store = store
        self._name = study.name
        self._recipes = store.plan(study).arms
        self._surroundings = surroundings
        self._curves = BaselineCurves(workspace.folder, surroundings.baseline_runs)
        self._files: dict[str, EventFile] = {}
        self._gauges = MachineGauges(workspace.folder)
        self._attempts: Sequence[AttemptRow] = ()
        self._told: set[tuple[str, int]] = set()
        """Attempts that have ended and were told."""
        self._standings: Sequence[Standing] = ()
        self.places: Sequence[Place] = ()
        self.is_paused = False

    @property
    def is_over(self) -> bool:
        """True if no run waits or is being trained."""
        return not any(place.state.is_open for place in self.places)

    def update(self) -> list[News]:
        """Read the database again; returns a line for each attempt that has ended since.

        Raises StoreError, and StoreBusyError if it was written to meanwhile.
        """
        is_first = not self.places
        self.places = find_places(self._store, self._name)
        self._attempts = study_attempts(self._store, self._name)
        self.is_paused = self._store.study(self._name).paused is not None
        ended = [each for each in self._attempts if each.ended and each.outcome]
        new = [each for each in ended if (each.run_id, each.number) not in self._told]
        self._told |= {(each.run_id, each.number) for each in new}
        if new or is_first:
            self._standings = self._surroundings.standings()
        return [] if is_first else list(self._news(new))

    def measure(self) -> None:
        """Measure memory and disk, if that is due. Which GPU a run has is not stored."""
        running = self._running()
        directories = {place.run_id: directory_name(place.run_id) for place in running}
        self._gauges.update(directories, gpus=False)

    def screen(self, *, trained: bool) -> Screen:
        """What is to be drawn; `trained`: whether a process trains the study."""
        states = Counter(place.state for place in self.places)
        times, running = self._times(), self._running()
        failures = sum(each.outcome is AttemptOutcome.FAILED for each in self._attempts)
        return Screen(
            total=len(self.places),
            ended=sum(number for state, number in states.items() if not state.is_open),
            under_way=times.under_way,
            left=self._left(times, trained=trained or bool(running)),
            failed=states[RunState.FAILED],
            retried=max(0, failures - states[RunState.FAILED]),
            free_bytes=self._gauges.free.value,
            slots=[self._row(place) for place in running],
            stopping=self.is_paused,
            standings=self._standings,
        )

    def _running(self) -> list[Place]:
        return [place for place in self.places if place.state is RunState.RUNNING]

    def _left(self, times: TimeLeft, *, trained: bool) -> str:
        if self.is_over:
            return "all runs have ended"
        if self.is_paused:
            return "paused"
        return left_words(times.seconds(), times.guess()) if trained else "no command trains it"

    def _row(self, place: Place) -> SlotRow:
        events = self._file(place.run_id).update()
        cost = self._cost(place)
        own = place.arm == self._surroundings.baseline
        row = SlotRow(
            slot=(place.owner or "").partition(":")[0],
            label=place.label,
            step=0,
            steps=cost.steps,
            memory=self._gauges.memory.value.get(place.run_id),
        )
        return with_events(
            row, events, None if own else self._curves.difference(place.seed, events)
        )

    def _file(self, run_id: str) -> EventFile:
        path = self._workspace.folder / directory_name(run_id) / "events.jsonl"
        return self._files.setdefault(run_id, EventFile(path))

    def _cost(self, place: Place) -> Cost:
        recipe = self._recipes.get(place.arm)
        found = stored_cost({**recipe, "seeds": ANY_SEEDS}) if isinstance(recipe, Mapping) else None
        return found or UNKNOWN_COST

    def _times(self) -> TimeLeft:
        """The estimate of the time that is left, made by repeating all attempts so far."""
        now = time.time()
        at = [now]
        costs = {place.arm: self._cost(place) for place in self.places}
        jobs = {
            place.run_id: StoredJob(place.run_id, place.family, StoredSpec(costs[place.arm]))
            for place in self.places
        }
        times = TimeLeft(list(jobs.values()), max(1, len(self._running())), lambda: at[0])
        for at[0], begins, attempt in _in_order(self._attempts):
            if attempt.run_id in jobs:
                _repeat(times, jobs[attempt.run_id], attempt, begins=begins)
        at[0] = now
        for place in self.places:
            if place.state.is_closed:
                times.gave_up(jobs[place.run_id])
            elif place.state.is_finished:
                times.ended(jobs[place.run_id])
            elif place.state is RunState.RUNNING and (
                steps := list(self._file(place.run_id).events)
            ):
                times.advanced(jobs[place.run_id], steps[-1])
        return times

    def _news(self, ended: Sequence[AttemptRow]) -> Iterator[News]:
        places = {place.run_id: place for place in self.places}
        rows = runs_by_id(self._store, [each.run_id for each in ended])
        for each in ended:
            run, label = rows[each.run_id], places[each.run_id].label
            if each.outcome is AttemptOutcome.FAILED:
                again = " and will be tried again" if run.state.is_open else ""
                yield News(f"{label} failed{again}: {each.reason}", "yellow" if again else "red")
            elif each.outcome in {AttemptOutcome.DONE, AttemptOutcome.DIVERGED}:
                seconds = (each.ended or 0.0) - each.claimed
                metrics = run_metrics(self._store, run.id) if run.test_loss is None else {}
                yield News(f"{label}  {result_words(run, metrics)}  {seconds:.1f} s")
            else:
                reason = f": {each.reason}" if each.reason else ""
                yield News(f"{label} {each.outcome}{reason}", "yellow")


def _in_order(attempts: Sequence[AttemptRow]) -> list[tuple[float, bool, AttemptRow]]:
    """Begins and ends of attempts by time."""
    begins = [(each.claimed, True, each) for each in attempts]
    ends = [(each.ended, False, each) for each in attempts if each.ended is not None]
    return sorted([*begins, *ends], key=lambda each: each[:2])


def _repeat(times: TimeLeft, job: StoredJob, attempt: AttemptRow, *, begins: bool) -> None:
    if begins:
        times.started(job, 0)
    elif attempt.outcome is AttemptOutcome.DONE:
        times.ended(job)
    elif attempt.outcome is AttemptOutcome.DIVERGED:
        times.gave_up(job)  # the time of a part of a run tells little
    else:
        times.stopped(job)
