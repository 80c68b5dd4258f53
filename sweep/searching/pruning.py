"""Stop trials whose curves are bad, as Optuna's pruner says."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sweep.queue.control import cancel
from sweep.searching.curves import mean_curve, point_of, search_curves
from sweep.searching.optuna_study import (
    Memory,
    build_study,
    quiet_optuna,
    state_and_values,
)
from sweep.searching.problem import Problem
from sweep.searching.recording import save_pruning
from sweep.searching.trials import Outcome, Standing, Trial
from sweep.store.store import Store
from trainer.rundir.directory import Event


@dataclass
class Watched:
    """A running trial."""

    problem: Problem
    trial: Trial
    curves: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    """Training loss by step, by run."""
    last: int = -1
    """The last step that the pruner has seen."""


class Pruning:
    """Watches the curves of running trials."""

    def __init__(self, store: Store, problems: Sequence[Problem]) -> None:
        self._store = store
        self._is_on = any(each.search.pruner != "none" for each in problems)
        self._watched: dict[str, Watched] = {}
        """By run."""
        self._memories: dict[str, tuple[list[Standing], Memory]] = {}
        """By search: the outcomes that Optuna's study was built from, and the study."""

    def update(self, problem: Problem, trials: Sequence[Trial]) -> None:
        """Take over the trials that the store has by now."""
        if not self._is_on:
            return
        for trial in trials:
            for run in trial.runs:
                if trial.is_over:
                    self._watched.pop(run.run_id, None)
        for trial in (each for each in trials if not each.is_over):
            known = [self._watched[r.run_id] for r in trial.runs if r.run_id in self._watched]
            watched = known[0] if known else Watched(problem, trial)
            for run in trial.runs:
                self._watched[run.run_id] = watched
        outcomes = [each.standing for each in trials]
        if self._memories.get(problem.key, ([], None))[0] != outcomes:
            with quiet_optuna():
                self._memories[problem.key] = outcomes, self._build(problem, trials)

    def _build(self, problem: Problem, trials: Sequence[Trial]) -> Memory:
        """Optuna's study, with what its pruner has noted about the trials so far."""
        curves = search_curves(self._store, trials, problem.study.metric.name)
        running = [replace(each, outcome=Outcome.RUNNING, value=None) for each in trials]
        memory = build_study(problem, running, {}, len(trials))
        for trial in trials:
            for step, loss in curves.get(trial.name, {}).items():
                _note(memory, trial.number, step, loss)
        for trial in (each for each in trials if each.is_over):
            number = memory.trial_id(trial.number)
            memory.storage.set_trial_state_values(number, *state_and_values(trial))
        return memory

    def advanced(self, run_id: str, event: Event) -> None:
        """Note a point of a run's curve, and stop its trial if the pruner says so."""
        watched = self._watched.get(run_id)
        if watched is None:
            return
        value = point_of(event, watched.problem.study.metric.name)
        if value is None or not math.isfinite(value):
            return
        watched.curves[run_id][event.step] = value
        if len(watched.curves) < len(watched.trial.runs):
            return
        curve = mean_curve(list(watched.curves.values()))
        for step in [each for each in curve if each > watched.last]:
            watched.last = step
            if self._should_stop(watched, step, curve[step]):
                self._stop(watched, step)
                return

    def _should_stop(self, watched: Watched, step: int, loss: float) -> bool:
        known = self._memories.get(watched.problem.key)
        if known is None:
            return False
        with quiet_optuna():
            return _note(known[1], watched.trial.number, step, loss)

    def _stop(self, watched: Watched, step: int) -> None:
        save_pruning(self._store, watched.problem, watched.trial.number, step)
        for run in watched.trial.runs:
            self._watched.pop(run.run_id, None)
        cancel(self._store, [run.run_id for run in watched.trial.runs])


def _note(memory: Memory, number: int, step: int, loss: float) -> bool:
    """Give a point of a curve to Optuna's pruner; True if the trial should stop."""
    trial = memory.trial_id(number)
    memory.storage.set_trial_intermediate_value(trial, step, loss)
    return memory.study.pruner.prune(memory.study, memory.storage.get_trial(trial))
