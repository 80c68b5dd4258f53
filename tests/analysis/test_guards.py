"""Guards: one-sided tests that an arm is not worse by another metric than a bound allows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.bounds import Bound
from analysis.guards import GuardVerdict, judge_guard
from analysis.looks import Look
from analysis.rules import Plan, Race
from benchmarks.gates.guards import RATIO, speeds
from benchmarks.simulation import ALPHA, Decisions

SPEED = Bound(amount=0.05, is_relative=True, higher_is_better=True)


def frame(values: dict[str, list[float]]) -> pd.DataFrame:
    rows = [(arm, seed, value) for arm, own in values.items() for seed, value in enumerate(own)]
    return pd.DataFrame(rows, columns=["arm", "seed", "loss"]).assign(status="done")


def judged(values: dict[str, list[float]], bound: Bound, **rules: object) -> list[GuardVerdict]:
    arms = tuple(arm for arm in values if arm != "baseline")
    is_exact = bool(rules.pop("is_exact", False))
    plan = Plan(arms=arms, smallest_effect=0.01, **rules)  # type: ignore[arg-type]
    return judge_guard(frame(values), plan, bound, is_exact=is_exact)


def studies(number: int, pairs: float = 0.5) -> list[dict[str, list[float]]]:
    """Studies with eight arms whose speeds are around the bound."""
    generator = np.random.default_rng(5)
    arm, baseline = speeds(generator, (number, 5, 8), 0.02, pairs)
    arm += generator.normal(0, 0.02, (number, 1, 8))
    return [
        {"baseline": baseline[i, :, 0].tolist()}
        | {f"a{k}": arm[i, :, k].tolist() for k in range(8)}
        for i in range(number)
    ]


@pytest.mark.parametrize("pairs", [True, False])
def test_the_interval_excludes_the_bound_exactly_where_the_test_decides(pairs: bool) -> None:
    seen = set()
    for study in studies(12):
        for answer in judged(study, SPEED, pairs=pairs):
            assert answer.low is not None
            assert answer.high is not None
            beyond = answer.high < SPEED.change
            within = answer.low > SPEED.change
            assert (answer.state == "worse") is beyond
            assert (answer.state == "not worse") is within
            seen.add(answer.state)
    assert seen == {"not worse", "worse", "open"}


def test_a_guard_in_percent_compares_with_the_baseline_times_the_bound_pair_by_pair() -> None:
    for study in studies(6):
        arms = np.array([own for arm, own in study.items() if arm != "baseline"]).T
        beyond = arms - RATIO * np.array(study["baseline"])[:, None]
        found = Decisions.on(beyond[None])
        shown = (found.p_adjusted[0] < 2 * ALPHA) & (found.effect[0] > 0)
        assert [each.state == "not worse" for each in judged(study, SPEED)] == shown.tolist()


def test_arms_at_the_bound_are_called_not_worse_in_one_study_of_twenty() -> None:
    generator = np.random.default_rng(8)
    arm, baseline = speeds(generator, (4000, 3, 8), 0.02, 0.8)
    found = Decisions.on(arm - RATIO * baseline)
    wrong = ((found.p_adjusted < 2 * ALPHA) & (found.effect > 0)).any(axis=1).mean()
    assert wrong < 0.06


def test_a_bound_in_the_unit_is_added_in_decimals() -> None:
    values = {"baseline": [3.28, 3.281, 3.279, 3.28], "a": [3.29, 3.291, 3.289, 3.29]}
    found = [judged(values, Bound(amount=amount))[0] for amount in (0.005, 0.01, 0.015)]
    assert [each.state for each in found] == ["worse", "open", "not worse"]
    assert [each.change for each in found] == [pytest.approx(0.01)] * 3


def test_lower_is_worse_for_a_speed_and_higher_for_a_loss() -> None:
    values = {"baseline": [100.0, 101.5, 99.0, 100.2], "a": [90.0, 91.0, 89.5, 90.3]}
    (slower,) = judged(values, SPEED)
    (lower,) = judged(values, Bound(amount=0.05, is_relative=True))
    assert (slower.state, lower.state) == ("worse", "not worse")
    assert [slower.change, lower.change] == [pytest.approx(360.8 / 400.7 - 1)] * 2


def test_a_metric_without_noise_is_decided_by_one_run() -> None:
    values = {"baseline": [1000.0], "a": [1050.0], "b": [1051.0]}
    bound = Bound(amount=0.05, is_relative=True)
    states = [each.state for each in judged(values, bound, is_exact=True)]
    assert states == ["not worse", "worse"]
    assert [each.state for each in judged(values, bound)] == ["open", "open"]


def test_a_bound_in_percent_needs_values_above_zero() -> None:
    values = {"baseline": [-1.0, 1.0, 2.0], "a": [1.0, 2.0, 3.0]}
    with pytest.raises(ValueError, match="a bound in percent needs values above zero"):
        judged(values, SPEED)


def test_a_bit_identical_arm_is_not_worse_than_the_baseline() -> None:
    values = {"baseline": [2.5, 2.25], "a": [2.5, 2.25]}
    (answer,) = judged(values, Bound(amount=0.0))
    assert answer.state == "not worse"


def test_an_arm_without_runs_is_open() -> None:
    plan = Plan(arms=("a",), smallest_effect=0.0)
    runs = frame({"baseline": [1.0, 2.0, 1.5]})
    (answer,) = judge_guard(runs, plan, SPEED)
    assert (answer.state, answer.change) == ("open", None)


def test_seeds_after_a_look_need_e_values() -> None:
    values = {
        "baseline": [100.0, 100.1, 99.9, 100.2, 99.8],
        "a": [97.0, 97.2, 96.8, 97.1, 96.9],
    }
    look = Look(seeds=frozenset({0}), baseline=frozenset({0}))
    (answer,) = judged(values, SPEED, looks={"a": look})
    assert answer.method == "e-value"
    assert answer.state == "not worse"


def test_a_guard_of_a_race_takes_all_runs_whenever_an_arm_left() -> None:
    baseline = [100.0, 100.1, 99.9, 100.2, 99.8, 100.0, 100.1, 99.9]
    values = {
        "baseline": baseline,
        "left": [each - 1 + 0.05 * (-1) ** i for i, each in enumerate(baseline[:5])],
        "stays": [each - 20 + 0.05 * (-1) ** i for i, each in enumerate(baseline)],
    }
    race = Race(start=3, seeds={arm: list(range(8)) for arm in values})
    left, stays = judged(values, SPEED, race=race)
    assert (left.state, left.method) == ("not worse", "e-value")
    assert stays.state == "worse"


@pytest.mark.parametrize(
    ("amount", "relative", "sentence"),
    [(-1.0, False, "the bound is -1.0"), (1.0, True, "lower by 100% or more")],
)
def test_an_impossible_bound_is_refused(amount: float, relative: bool, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Bound(amount=amount, is_relative=relative, higher_is_better=True)
