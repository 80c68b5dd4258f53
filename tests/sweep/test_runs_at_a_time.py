"""How many runs a plan says are trained at the same time, by executor."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.design.arms import make_plan
from sweep.executors import registry
from sweep.executors.registry import capacity, slots_for
from sweep.forecast.outline import Outline
from sweep.forecast.pace import given_pace
from sweep.forecast.price import Price, training_time
from sweep.reports.price_text import time_line
from sweep.study.file import parse_study


@pytest.mark.parametrize(
    ("jobs", "slots", "words"),
    [
        ({}, 1, "one run at a time; "),
        ({"executor": "slurm"}, None, "4 runs at a time if Slurm has room for them; "),
        ({"executor": "slurm"}, 3, "3 runs at a time if Slurm has room for them; "),
        (
            {"executor": "slurm", "gpus_per_run": 2, "slurm": {"running": 2}},
            None,
            "2 runs at a time on 2 GPUs each (in 2 processes each without GPUs) if Slurm has room",
        ),
        (
            {"executor": "slurm", "gpus_per_run": 2, "slurm": {"running": 1}},
            3,
            "at a time on 2 GPUs (in 2 processes without GPUs) if",
        ),
        (
            {"executor": "slurm", "gpus_per_run": 2, "slurm": {"gres": "none"}},
            None,
            "4 runs at a time in 2 processes each if Slurm has room for them; ",
        ),
    ],
)
def test_a_plan_says_how_many_of_its_runs_can_be_trained_at_the_same_time(
    content: dict[str, Any], jobs: dict[str, Any], slots: int | None, words: str
) -> None:
    content["interventions"] = {"half": {"because": "it may help", "set": {"model.layers": 2}}}
    plan = make_plan(
        parse_study(content | {"design": {"seeds": 2}, "jobs": jobs}, "s.toml"), "s.toml"
    )
    given = given_pace(1000.0, plan.arms[0].spec.cost)
    assert given
    at_once = capacity(plan.study, slots_for(plan.study, slots)).at_once
    time = training_time(Outline(plan, None, None), Price(pace=given, per_hour=None), at_once)
    assert words in time_line(time)


def test_a_job_of_a_cluster_does_not_share_the_cores_of_this_machine(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "available_cores", lambda: 8)
    study = parse_study(content | {"jobs": {"executor": "slurm", "slurm": {"cpus": 4}}}, "s.toml")
    assert capacity(study, slots_for(study, None)).per_machine == 2
