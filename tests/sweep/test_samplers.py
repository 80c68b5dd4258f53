"""Optuna's samplers, asked for one trial after the other from the history in the store."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from sweep.searching.optuna_study import ask, importance_of
from sweep.searching.problem import Problem, problems_of
from sweep.searching.samplers import SAMPLERS
from sweep.searching.trials import Outcome, Trial, best_trial
from sweep.workspace import plan_of

RANGES = """
"optimizer.learning_rate" = { low = 1e-4, high = 1e-1, log = true }
"optimizer.weight_decay" = { low = 1e-4, high = 1.0, log = true }
"""
POINTS = """
"model.width" = { low = 8, high = 24, step = 8 }
"schedule.kind" = { choices = ["constant", "cosine"] }
"optimizer.weight_decay" = { low = 0, high = 0.3, step = 0.1 }
"""
TRIALS = 6


def problem_of(study_text: str, sampler: str, fields: str, more: str = "") -> Problem:
    search = f'[search]\nsampler = "{sampler}"\n{more}\n[search.fields]\n{fields}'
    plan = plan_of(tomllib.loads(f"{study_text}\n{search}"), "s.toml")
    assert plan.study.search
    return problems_of(plan, plan.study.search)[0]


def result(trial: Trial) -> float:
    """Best at a learning rate and a weight decay of 10^-2.5."""
    numbers = [each for each in trial.values.values() if isinstance(each, float) and each > 0]
    return sum((math.log10(each) + 2.5) ** 2 for each in numbers)


def next_trial(problem: Problem, trials: Sequence[Trial]) -> Trial:
    """Ask for a trial, as the store gives it back."""
    asked = ask(problem, trials, {})
    return Trial(
        number=len(trials),
        arm="baseline",
        name=problem.trial_name(len(trials)),
        values=json.loads(json.dumps(asked.values)),
        sampler_state=json.loads(json.dumps(asked.sampler_state)),
        outcome=Outcome.RUNNING,
        value=None,
        pruned_at=None,
        asked=0.0,
        runs=[],
    )


def searched(problem: Problem, number: int, slots: int = 2) -> list[Trial]:
    """Trials of which so many run at a time, and end in the order in which they began."""
    trials: list[Trial] = []
    for place in range(number):
        trials.append(next_trial(problem, trials))
        if place >= slots - 1:
            ended = trials[place - slots + 1]
            trials[ended.number] = replace(ended, outcome=Outcome.COMPLETE, value=result(ended))
    return trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_is_asked_again_gives_the_same_trials(study_text: str, sampler: str) -> None:
    problem = problem_of(study_text, sampler, POINTS if sampler == "grid" else RANGES)
    trials = searched(problem, TRIALS)
    values = [tuple(trial.values.items()) for trial in trials]
    assert len(set(values)) == TRIALS  # trials that run at once are different ones
    for place in (1, TRIALS - 1):  # a search that was interrupted here goes on
        history = [replace(each) for each in searched(problem, TRIALS)[:place]]
        before = searched(problem, place)
        assert [each.values for each in before] == [each.values for each in history]
    assert next_trial(problem, trials).values == next_trial(problem, trials).values


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_samplers_that_learn_find_the_best_values(study_text: str, sampler: str) -> None:
    problem = problem_of(study_text, sampler, RANGES)
    best = best_trial(searched(problem, 40), problem.direction)
    assert best
    assert best.value is not None
    assert best.value < 0.1


def test_a_grid_tries_each_point_once(study_text: str) -> None:
    problem = problem_of(study_text, "grid", POINTS)
    trials = searched(problem, problem.trials)
    tried = {tuple(trial.values.values()) for trial in trials}
    assert len(tried) == problem.trials == 3 * 2 * 4
    assert {point[0] for point in tried} == {8, 16, 24}
    assert sorted({point[2] for point in tried}) == [0.0, 0.1, 0.2, 0.3]


def test_whole_numbers_are_searched_where_the_field_takes_no_others(study_text: str) -> None:
    problem = problem_of(
        study_text,
        "random",
        '"train.batch_size" = { low = 4, high = 64, log = true }\n'
        '"optimizer.weight_decay" = { low = 0, high = 1 }',
    )
    trials = searched(problem, TRIALS)
    assert all(isinstance(trial.values["train.batch_size"], int) for trial in trials)
    assert {round(trial.values["optimizer.weight_decay"] * 1e6) % 10**6 for trial in trials} != {0}


def test_a_trial_that_diverged_is_the_worst_and_never_the_best(study_text: str) -> None:
    problem = problem_of(study_text, "tpe", RANGES)
    trials = [
        replace(each, value=math.inf if each.number % 2 else each.value)
        for each in searched(problem, 20, slots=1)
    ]
    assert next_trial(problem, trials).values
    best = best_trial(trials, problem.direction)
    assert best
    assert best.number % 2 == 0


def test_the_importance_of_a_field_is_large_if_results_depend_on_it(study_text: str) -> None:
    problem = problem_of(study_text, "random", RANGES)
    trials = [
        replace(each, outcome=Outcome.COMPLETE, value=each.values["optimizer.learning_rate"])
        for each in searched(problem, 30, slots=1)
    ]
    importance = importance_of(problem.domains, trials, problem.direction)
    assert importance
    assert next(iter(importance)) == "optimizer.learning_rate"
    assert sum(importance.values()) == pytest.approx(1)
    assert importance_of(problem.domains, trials[:9], problem.direction) is None


def test_only_what_trials_depend_on_begins_a_new_search(study_text: str) -> None:
    same = problem_of(study_text, "tpe", RANGES)
    assert problem_of(study_text, "tpe", RANGES, "trials = 80").key == same.key
    assert problem_of(study_text, "random", RANGES).key != same.key
    assert problem_of(study_text.replace("layers = 1", "layers = 2"), "tpe", RANGES).key != same.key
