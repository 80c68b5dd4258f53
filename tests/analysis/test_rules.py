"""The rules of an analysis are checked when they are made."""

import dataclasses

import pytest

from analysis.rules import Plan

PLAN = Plan(arms=("clip", "bias", "placebo"), smallest_effect=0.005)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 0.5}, "alpha is 0.5; give a number between 0 and 0.5"),
        ({"smallest_effect": -1.0}, "smallest_effect is -1.0; give nats"),
        ({"smallest_effect": float("nan")}, "smallest_effect is nan; give nats"),
        ({"correction": "sidak"}, "correction is 'sidak'; choose from"),
        ({"arms": ("clip", "clip")}, "arm 'clip' is named twice"),
        ({"baseline": "clip"}, "arm 'clip' is named twice, the baseline included"),
        ({"outside_family": frozenset({"clop"})}, "names 'clop', which is no arm; arms:"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PLAN, **change)  # type: ignore[arg-type]


def test_the_family_is_every_arm_that_asks_a_question() -> None:
    plan = dataclasses.replace(PLAN, outside_family=frozenset({"placebo"}))
    assert plan.family == ("clip", "bias")
    assert plan.strictest_alpha == 0.025


def test_without_a_correction_every_question_is_asked_at_alpha() -> None:
    assert dataclasses.replace(PLAN, correction="none").strictest_alpha == 0.05
