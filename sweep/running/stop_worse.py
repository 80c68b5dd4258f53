"""Stop arms whose curves are shown to be worse than the baseline's: `[design] stop_worse`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from sweep.design.stop_worse import stoppable_arms
from sweep.history.stopped import record_stops
from sweep.history.withdrawn import questions_withdrawn
from sweep.metrics.metric import Direction
from sweep.queue.control import cancel
from sweep.running.job_source import NoMoreJobs
from sweep.searching.curves import run_curves
from sweep.store.plan_content import PlanContent
from sweep.store.schema import arms, members
from sweep.store.select_in import select_in
from sweep.store.states import RunState
from sweep.store.stopped_content import StoppedContent
from sweep.store.store import Store
from sweep.study.stop_worse import StopWorse
from sweep.terminal.printable import harmless
from sweep.workload.job import Job
from sweep.workload.workload import Workload
from trainer.rundir.directory import Event

if TYPE_CHECKING:
    from analysis.worse import Worse

Point = tuple[int, float]
"""A step, and the value of the curve there."""


class WorseArms(NoMoreJobs):
    """Watches the curves of a study, and cancels the runs of arms that are shown to be worse.

    Decisions follow from the curves in the store and in the directories of runs, and are stored with
    the plan. So two schedulers decide alike, and an interrupted command goes on with them.
    """

    def __init__(self, store: Store, workload: Workload, rules: StopWorse) -> None:
        self._store = store
        self._plan = workload.plan
        self._rules = rules
        self._tested = stoppable_arms(workload.plan)
        baseline = workload.plan.arms[0].name
        watched = {baseline, *self._tested}
        jobs = {cell: job for cell, job in workload.jobs().items() if cell[0] in watched}
        self._baseline = {seed: job for (arm, seed), job in jobs.items() if arm == baseline}
        self._arms = {
            name: {seed: jobs[name, seed] for seed in workload.plan.arm(name).specs}
            for name in self._tested
        }
        self._ids = {job.run_id for job in jobs.values()}
        self._passed: set[tuple[str, int]] = set()
        """Checkpoints that runs were seen to pass: run and number."""
        self._points: dict[tuple[str, int], Point] = {}
        """Points of curves at checkpoints, by run and number; they never change."""
        self._told: set[str] = set()

    def advanced(self, job: Job, event: Event) -> Sequence[str]:
        """Check the arms when a run has passed a checkpoint; returns sentences on those stopped."""
        if job.run_id not in self._ids:
            return ()
        passed = {
            (job.run_id, number)
            for number in range(len(self._rules.at))
            if event.step >= self._step(job, number)
        }
        if passed <= self._passed:
            return ()
        news = self.check()
        self._passed |= passed
        return news

    def check(self) -> Sequence[str]:
        """Stop the arms that are shown to be worse by now; returns sentences on those stopped.

        Raises StoreBusyError.
        """
        study = self._store.study(self._plan.study.name)
        if study.plan_hash != self._plan.hash:
            return ()
        states = self._store.states([*self._ids])
        self._read_points(states)
        plan = self._store.plan(study)
        stopped, shown = plan.stopped, self._find(plan, states)
        found = {arm: each for arm, each in shown.items() if self._open_runs(arm, states)}
        if found.keys() - stopped.keys():
            stopped = record_stops(self._store, study.name, study.plan_hash, found)
        for arm, decision in stopped.items():
            self._cancel(arm, decision, states)
        fresh = [arm for arm in stopped if arm not in self._told]
        self._told.update(fresh)
        return [f"worse ({stopped[arm].words}): {harmless(arm)}" for arm in fresh]

    @property
    def stopped(self) -> Collection[str]:
        """The arms that were stopped so far."""
        return self._told

    def _step(self, job: Job, number: int) -> float:
        return self._rules.step(number, job.spec.cost.steps)

    def _open_runs(self, arm: str, states: Mapping[str, RunState]) -> list[str]:
        """The runs of an arm that can be stopped."""
        ids = [job.run_id for job in self._arms.get(arm, {}).values()]
        return [run_id for run_id in ids if run_id in states and states[run_id].is_open]

    def _read_points(self, states: Mapping[str, RunState]) -> None:
        """Read the points at checkpoints that are not known yet."""
        jobs = [*self._baseline.values(), *(j for own in self._arms.values() for j in own.values())]
        numbers = range(len(self._rules.at))
        lacking = [
            job
            for job in jobs
            if job.run_id in states and any((job.run_id, n) not in self._points for n in numbers)
        ]
        metric = self._plan.study.metric.name
        curves = run_curves(self._store, [job.run_id for job in lacking], metric)
        for job in lacking:
            for number in numbers:
                point = _first_after(curves.get(job.run_id, {}), self._step(job, number))
                if point is not None:
                    self._points[job.run_id, number] = point

    def _find(self, plan: PlanContent, states: Mapping[str, RunState]) -> dict[str, StoppedContent]:
        """The arms that are shown to be worse, each at its first checkpoint."""
        from analysis.worse import find_worse

        questions = len(self._tested) + questions_withdrawn(self._store, plan)
        alpha = self._plan.study.analysis.alpha / len(self._rules.at)
        found: dict[str, StoppedContent] = {}
        for number in range(len(self._rules.at)):
            pairs = {arm: self._pairs(arm, number, states) for arm in self._tested}
            values = {arm: [value for _, value in own] for arm, own in pairs.items()}
            for arm, worse in find_worse(values, self._rules.margin, alpha, questions).items():
                step = pairs[arm][0][0]
                found.setdefault(arm, self._decision(number, step, worse, alpha))
        return found

    def _decision(self, number: int, step: int, worse: Worse, alpha: float) -> StoppedContent:
        return StoppedContent(
            at=self._rules.at[number],
            step=step,
            seeds=worse.seeds,
            worse_by=worse.mean,
            log_e_value=worse.log_e_value,
            alpha=alpha,
        )

    def _pairs(self, arm: str, number: int, states: Mapping[str, RunState]) -> list[Point]:
        """How much worse an arm is at a checkpoint, by seed, with the step; in the plan's order.

        A seed without a point ends the list while one may still come, and else is left out.
        """
        found: list[Point] = []
        for seed, job in self._arms[arm].items():
            other = self._baseline[seed]
            mine, its = (self._points.get((each.run_id, number)) for each in (job, other))
            if mine and its:
                if mine[0] == its[0]:
                    found.append((mine[0], self._sign * (mine[1] - its[1])))
                continue
            pending = (each for each, point in ((job, mine), (other, its)) if point is None)
            if any(each.run_id not in states or states[each.run_id].is_open for each in pending):
                break
        return found

    @property
    def _sign(self) -> int:
        """1 if low values of the curve are good, as those of a training loss; else -1."""
        study = self._plan.study
        high = study.trainer is not None and study.metric.direction is Direction.MAXIMIZE
        return -1 if high else 1

    def _cancel(self, arm: str, decision: StoppedContent, states: Mapping[str, RunState]) -> None:
        """Cancel the open runs of an arm, but for those that another study has too."""
        ids = self._open_runs(arm, states)
        if not ids:
            return
        others = select(members.c.run_id).join(arms).where(arms.c.study != self._plan.study.name)
        with self._store.begin() as connection:
            shared = {row["run_id"] for row in select_in(connection, others, members.c.run_id, ids)}
        cancel(
            self._store, [each for each in ids if each not in shared], f"worse ({decision.words})"
        )


def _first_after(curve: Mapping[int, float], step: float) -> Point | None:
    """The first point of a curve from a step on; None if there is none, or if it is not finite."""
    at = min((each for each in curve if each >= step), default=None)
    return None if at is None or not math.isfinite(curve[at]) else (at, curve[at])


def worse_arms(store: Store, workload: Workload) -> WorseArms | None:
    """What stops the worse arms of a study, after a first check; None if it does not stop any."""
    rules = workload.plan.study.design.stop_worse
    if rules is None or not stoppable_arms(workload.plan):
        return None
    found = WorseArms(store, workload, rules)
    found.check()
    return found
