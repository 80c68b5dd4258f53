"""What is wrong with a search is said before anything is trained, in one sentence."""

from __future__ import annotations

import tomllib
from typing import get_args

import pytest

from sweep.errors import StudyError
from sweep.searching.samplers import PRUNERS, SAMPLERS
from sweep.study.search_section import PrunerName, SamplerName
from sweep.workspace import plan_of

RATE = '"optimizer.learning_rate" = { low = 1e-4, high = 1e-1, log = true }'


def said(study_text: str, search: str, instead: tuple[str, str] = ("", "")) -> str:
    with pytest.raises(StudyError) as refused:
        plan_of(tomllib.loads(f"{study_text.replace(*instead)}\n[search]\n{search}"), "s.toml")
    return str(refused.value)


@pytest.mark.parametrize(
    ("search", "sentence"),
    [
        (
            'fields = { "optimizer.beta2" = { low = 0.99, high = 0.9 } }',
            "search.fields.optimizer.beta2: low = 0.99 must be below high = 0.9",
        ),
        (
            'fields = { "optimizer.beta2" = { low = 0, high = 0.9, log = true } }',
            "search.fields.optimizer.beta2: low = 0 must be above 0, because log = true",
        ),
        (
            'fields = { "optimizer.beta2" = { low = 0.9 } }',
            "search.fields.optimizer.beta2: give low and high, or choices",
        ),
        (
            'fields = { "optimizer.beta2" = { low = 0.9, choices = [0.9, 0.99] } }',
            "search.fields.optimizer.beta2: has choices and a range; keep one of them",
        ),
        (
            'fields = { "model.dropout" = { low = 0.0, high = 0.5 } }',
            (
                "'search.fields' has 'model.dropout', which [interventions.no-dropout] sets; search it or "
                "set it, and remove the other"
            ),
        ),
        (
            'fields = { "optimizer.learning_rat" = { low = 0.1, high = 0.5 } }',
            (
                "[search.fields] sets 'optimizer.learning_rat', which is not a recipe field; did you mean "
                "'optimizer.learning_rate'?"
            ),
        ),
        (
            'fields = { "optimizer.beta2" = { low = 0.9, high = 1.5 } }',
            "[search.fields] sets 'optimizer.beta2' = 1.5, which must be below 1",
        ),
        (
            'fields = { "data.tokenizer" = { choices = ["bytes", "gpt2"] } }',
            (
                "'search.fields' has 'data.tokenizer', which changes the text that is tested, and losses "
                "on different texts are not comparable; make each value a study of its own"
            ),
        ),
        (
            f'sampler = "tpr"\nfields = {{ {RATE} }}',
            (
                "'search.sampler' = 'tpr' must be 'tpe', 'random', 'grid', 'qmc', 'cmaes' or 'gp'; did you "
                "mean 'tpe'?"
            ),
        ),
        (
            'sampler = "cmaes"\nfields = { "schedule.kind" = { choices = ["constant", "cosine"] } }',
            (
                "'search.fields' has 'schedule.kind' with choices, and search.sampler = 'cmaes' takes "
                "ranges only; use sampler = 'tpe', 'random', 'grid' or 'gp'"
            ),
        ),
        (
            f'sampler = "grid"\nfields = {{ {RATE} }}',
            (
                "'search.fields' has 'optimizer.learning_rate' without step or choices, so a grid of it "
                "has no end; add step, or name the values as choices"
            ),
        ),
        (
            (
                'sampler = "grid"\nfields = { "optimizer.weight_decay" = { low = 0, high = 1, step = 1e-3 '
                '}, "optimizer.beta2" = { low = 0, high = 0.9, step = 1e-3 } }'
            ),
            (
                "the grid of [search] has 901,901 points, and at most 10,000 are allowed; use larger steps "
                "or fewer choices, or sampler = 'tpe' with a number of trials"
            ),
        ),
        (
            'sampler = "grid"\ntrials = 7\nfields = { "optimizer.beta2" = { choices = [0.9, 0.99] } }',
            (
                "'search.trials' = 7, but the grid has 2 points and each of them is a trial; remove "
                "trials, or change the grid"
            ),
        ),
    ],
)
def test_a_search_that_cannot_be_is_refused_with_what_to_do(
    study_text: str, search: str, sentence: str
) -> None:
    assert sentence in said(study_text, search)


def test_the_seeds_of_a_search_cannot_be_those_of_a_verdict(study_text: str) -> None:
    shared = said(study_text, f"fields = {{ {RATE} }}", ("seeds = 2", "seeds = [1, 1_000_000_001]"))
    assert "'design.seeds' has 1000000001, which is a seed of the search" in shared


def test_every_sampler_and_pruner_that_a_study_may_name_is_there() -> None:
    assert list(SAMPLERS) == list(get_args(SamplerName))
    assert list(PRUNERS) == list(get_args(PrunerName))
