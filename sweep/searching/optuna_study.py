"""An Optuna study in memory, built from the trials in the store.

The store has the truth: Optuna is asked for the values of the next trial, and if a trial should be
pruned. It keeps nothing between two questions that could not be built again.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sweep.metrics.metric import Direction
from sweep.searching.problem import Problem
from sweep.searching.samplers import PRUNERS, SAMPLERS, Space, distributions, plain
from sweep.searching.trials import Outcome, Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import InMemoryStorage
    from optuna.trial import FrozenTrial, TrialState

RUNS = "sweep_runs"
"""User attribute of a trial: the ids of its runs."""
NAME = "sweep_arm"
"""User attribute of a trial: its arm in the study of the trials."""

BEST_SHARE = 0.25
"""Share of the trials that count as good in the importance of fields. Optuna's 0.1 is for hundreds."""
MIN_FOR_IMPORTANCE = 10
"""Complete trials that the importance of fields is estimated from, at least."""

Curves = Mapping[str, Mapping[int, float]]
"""Training loss by step, by trial name."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The values of a new trial."""

    values: Mapping[str, Any]
    sampler_state: Mapping[str, Any]
    """Attributes that Optuna's sampler gave to the trial and to the study."""


@dataclass(frozen=True)
class Memory:
    """An Optuna study in memory."""

    study: Study
    storage: InMemoryStorage
    id: int

    def trial_id(self, number: int) -> int:
        """Optuna's id of a trial."""
        return self.storage.get_trial_id_from_study_id_trial_number(self.id, number)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna from printing its own messages; warnings of experimental features say nothing new."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="optuna")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(before)


def build_study(problem: Problem, trials: Sequence[Trial], curves: Curves, number: int) -> Memory:
    """The Optuna study of some trials; its sampler is the one of trial `number`."""
    import optuna

    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(
        storage=storage,
        study_name=problem.arm.name,
        direction=problem.direction.value,
        sampler=SAMPLERS[problem.search.sampler](
            problem.domains, problem.search.seed, _own_seed(problem, number)
        ),
        pruner=PRUNERS[problem.search.pruner](),
    )
    memory = Memory(study, storage, storage.get_study_id_from_name(problem.arm.name))
    for trial in trials:
        study.add_trial(frozen_trial(problem.domains, trial, curves.get(trial.name, {})))
        for key, value in trial.sampler_state.get("study", {}).items():
            storage.set_study_system_attr(memory.id, key, value)
    return memory


def ask(problem: Problem, trials: Sequence[Trial], curves: Curves) -> Asked:
    """Ask Optuna's sampler for the values of the next trial.

    The answer depends on the trials so far, their results, and the number of the next one alone.
    """
    with quiet_optuna():
        memory = build_study(problem, trials, curves, len(trials))
        before = dict(memory.storage.get_study_system_attrs(memory.id))
        trial = memory.study.ask(distributions(problem.domains))
        found = memory.storage.get_all_trials(memory.id, deepcopy=False)[trial.number]
        after = memory.storage.get_study_system_attrs(memory.id)
    of_study = {key: value for key, value in after.items() if before.get(key) != value}
    return Asked(
        values={name: plain(value) for name, value in trial.params.items()},
        sampler_state={"trial": dict(found.system_attrs), "study": of_study},
    )


def importance_of(
    space: Space, trials: Sequence[Trial], direction: Direction
) -> dict[str, float] | None:
    """The importance of each field, the largest first; they add up to 1.

    PED-ANOVA (Watanabe, Bansal and Hutter 2023): how much the values of the best quarter of the trials
    differ from those of all. None if there are fewer complete trials than `MIN_FOR_IMPORTANCE`, or
    if they are all equal.
    """
    complete = [each for each in trials if each.value is not None and math.isfinite(each.value)]
    if len(complete) < MIN_FOR_IMPORTANCE or len({each.value for each in complete}) == 1:
        return None
    import optuna

    with quiet_optuna():
        study = optuna.create_study(direction=direction.value)
        for trial in complete:
            study.add_trial(frozen_trial(space, trial, {}))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def frozen_trial(space: Space, trial: Trial, curve: Mapping[int, float]) -> FrozenTrial:
    """A trial as Optuna has it, with our runs as user attributes."""
    from optuna.trial import create_trial

    return create_trial(
        state=_state(trial.outcome),
        value=trial.value,
        params=dict(trial.values),
        distributions=distributions(space),
        system_attrs=dict(trial.sampler_state.get("trial", {})),
        user_attrs=user_attributes(trial),
        intermediate_values=dict(curve),
    )


def user_attributes(trial: Trial) -> dict[str, Any]:
    """What Optuna's trial says about ours."""
    asked = datetime.fromtimestamp(trial.asked, UTC).isoformat(timespec="seconds")
    return {NAME: trial.name, RUNS: [run.run_id for run in trial.runs], "sweep_asked": asked}


def state_and_values(trial: Trial) -> tuple[TrialState, list[float] | None]:
    """State and values of a trial, as Optuna's storages take them."""
    return _state(trial.outcome), None if trial.value is None else [trial.value]


def _state(outcome: Outcome) -> TrialState:
    from optuna.trial import TrialState

    return {
        Outcome.RUNNING: TrialState.RUNNING,
        Outcome.COMPLETE: TrialState.COMPLETE,
        Outcome.PRUNED: TrialState.PRUNED,
        Outcome.FAILED: TrialState.FAIL,
        Outcome.REFUSED: TrialState.FAIL,
    }[outcome]


def _own_seed(problem: Problem, number: int) -> int:
    """A seed for the sampler of one trial."""
    text = f"{problem.key}/{number}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4])
