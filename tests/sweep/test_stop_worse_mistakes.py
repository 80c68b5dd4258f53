"""A wrong `design.stop_worse` is refused in one sentence; `sweep plan` says what a right one does."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from sweep.design.arms import make_plan
from sweep.design.plan import Plan
from sweep.design.stop_worse import exempt_arms, stoppable_arms
from sweep.errors import StudyError
from sweep.reports.stopped_text import stop_worse_lines
from sweep.study.file import parse_study

Content = dict[str, Any]
SCRIPT: Content = {
    "name": "s",
    "trainer": {"command": ["python", "-c", "pass", "{lr}"], "pairs": True},
    "metrics": {
        "score": {"source": {"regex": "score (?P<value>[0-9.]+)"}, "direction": "maximize"}
    },
    "parameters": {"lr": 0.1},
    "interventions": {"high": {"because": "?", "set": {"lr": 0.5}}},
    "design": {"seeds": 5},
    "analysis": {"smallest_effect": 0.1},
}


def planned(content: Content, rules: Content, **design: Any) -> Plan:  # noqa: ANN401  (JSON)
    changed = deepcopy(content)
    changed["design"] |= {"stop_worse": rules, **design}
    return make_plan(parse_study(changed, "s.toml"), "s.toml")


def said(content: Content, rules: Content, **design: Any) -> str:  # noqa: ANN401  (JSON)
    with pytest.raises(StudyError) as refused:
        planned(content, rules, **design)
    return str(refused.value)


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"at": [], "margin": 0.1}, "design.stop_worse.at"),
        ({"at": [0.3]}, "design.stop_worse.margin"),
        ({"at": [0.3], "margin": -0.1}, "design.stop_worse.margin"),
        ({"at": [0.0], "margin": 0.1}, "design.stop_worse.at"),
        ({"at": [0.3, 1.0], "margin": 0.1}, "shares of a run between 0 and 1"),
        ({"at": [0.3, 200], "margin": 0.1}, "shares of a run between 0 and 1"),
        ({"at": [200], "margin": 0.1}, "design.stop_worse.at has steps, but must have shares"),
        ({"at": [0.6, 0.3], "margin": 0.1}, "at must rise from one checkpoint to the next"),
        ({"at": [0.3, 0.3], "margin": 0.1}, "at must rise from one checkpoint to the next"),
        (
            {"at": [0.3], "margin": 0.1, "never": ["clp"]},
            "'clp', which is no arm; did you mean 'clip'",
        ),
    ],
)
def test_wrong_rules_are_refused(content: Content, rules: Content, sentence: str) -> None:
    assert sentence in said(content, rules)


def test_a_factorial_is_refused(content: Content) -> None:
    assert "remove stop_worse" in said(content, {"at": [0.3], "margin": 0.1}, kind="factorial")


def test_shares_of_a_script_are_refused_and_steps_are_taken() -> None:
    assert "give steps, such as at = [1000, 2000]" in said(SCRIPT, {"at": [0.3], "margin": 0.1})
    assert stoppable_arms(planned(SCRIPT, {"at": [300, 600], "margin": 0.1})) == ["high"]


def test_a_script_whose_runs_do_not_pair_is_refused() -> None:
    unpaired = deepcopy(SCRIPT)
    unpaired["trainer"]["pairs"] = False
    assert "trainer.pairs = true" in said(unpaired, {"at": [300], "margin": 0.1})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"schedule.kind": "cosine"}, "sets schedule.kind"),
        ({"schedule.warmup": 0.1}, "sets schedule.warmup"),
        ({"train.tokens": 4096}, "sets train.tokens"),
        ({"train.batch_size": 4}, "sets train.batch_size"),
        ({"model.context": 8}, "sets model.context"),
        ({"model.dropout": 0.3}, "sets model.dropout"),
        ({"optimizer.learning_rate": 1e-5}, None),
        ({"model.width": 32}, None),
    ],
)
def test_arms_with_another_schedule_budget_or_loss_are_exempt(
    content: Content, changes: Content, why: str | None
) -> None:
    content["interventions"] = {"x": {"because": "?", "set": changes}}
    plan = planned(content, {"at": [0.3], "margin": 0.1})
    assert exempt_arms(plan) == ({"x": why} if why else {})
    assert stoppable_arms(plan) == ([] if why else ["x"])


def test_a_plan_says_which_arms_are_never_stopped_and_how_many_seeds_it_takes(
    content: Content,
) -> None:
    (line,) = stop_worse_lines(planned(content, {"at": [0.3, 0.6], "margin": 0.1}, seeds=3))
    assert line == (
        "Arms shown to be worse by more than 0.1 are stopped at 30% and 60%, from 3 seeds on. "
        "Never stopped: no-dropout (sets model.dropout)."
    )
    (line,) = stop_worse_lines(planned(content, {"at": [0.3], "margin": 0.1}, seeds=2))
    assert "which no arm has: give them more seeds" in line
    never = {"at": [0.3], "margin": 0.1, "never": ["clip"]}
    (line,) = stop_worse_lines(planned(content, never))
    assert line.startswith("No arm can be stopped early. Never stopped: no-dropout (sets model.d")
    assert line.endswith("; clip (named in never).")
