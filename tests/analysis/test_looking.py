"""A plan that is extended after its look: the planned seeds first, then e-values."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.anytime import confidence_sequence, log_e_value
from analysis.looking import COUNTS
from analysis.looks import Look
from analysis.verdict import ArmVerdict, Judgement, Plan, judge
from benchmarks.gates.looking import decided_ever, p_values
from benchmarks.simulation import FAMILYWISE, SCENARIOS, Floats

ARMS = tuple("abcd")
EFFECTS = np.array([-0.03, -0.006, 0.0, 0.0])
PLAN = Plan(arms=ARMS, smallest_effect=0.0)


def frame(differences: Floats, arms: tuple[str, ...] = ARMS) -> pd.DataFrame:
    """Runs with these differences from a constant baseline, shape (seeds, arms)."""
    table = pd.DataFrame(3.0 + differences, columns=list(arms)).assign(baseline=3.0)
    runs = table.rename_axis("seed").reset_index().melt("seed", var_name="arm", value_name="loss")
    return runs.assign(status="done")


def look(seeds: int, dropped: int = 0) -> Look:
    planned = frozenset(range(seeds))
    return Look(seeds=planned, baseline=planned, dropped=dropped)


def looked(plan: Plan, seeds: int) -> Plan:
    return replace(plan, looks={arm: look(seeds) for arm in plan.arms})


@pytest.fixture(scope="module")
def differences() -> Floats:
    noise = np.random.default_rng(5).normal(size=(15, 4)) * 0.004
    return EFFECTS + noise


def judged(differences: Floats, plan: Plan) -> Judgement:
    return judge(frame(differences), plan)


def verdicts(found: Judgement) -> list[str | None]:
    return [row.verdict for row in found.arms[1:]]


def test_a_plan_without_an_extension_is_judged_as_if_it_had_no_look(differences: Floats) -> None:
    first = differences[:5]
    assert judged(first, looked(PLAN, 5)) == judged(first, PLAN)
    assert {row.basis for row in judged(first, PLAN).arms[1:]} == {"planned"}
    assert {row.n_planned for row in judged(first, PLAN).arms[1:]} == {5}


def test_an_arm_that_the_look_decided_keeps_its_verdict_effect_and_p(differences: Floats) -> None:
    at_look = judged(differences[:5], PLAN)["a"]
    later = differences.copy()
    later[5:, 0] = 0.5  # whatever further seeds say
    row = judged(later, looked(PLAN, 5))["a"]
    assert at_look.verdict == "better"
    counts = {name: getattr(row, name) for name in COUNTS}
    assert row == replace(at_look, n_planned=5, **counts)
    assert row.n_done == 15


def test_an_arm_that_the_look_left_open_is_judged_by_its_e_value_at_half_of_alpha(
    differences: Floats,
) -> None:
    found = judged(differences, looked(PLAN, 5))
    assert verdicts(judged(differences[:5], PLAN)) == ["better", *["undecided"] * 3]
    for i, arm in enumerate(ARMS[1:], 1):
        row, low_high = found[arm], confidence_sequence(differences[:, i], 0.025)
        assert (row.basis, row.n_planned, row.method) == ("looks", 5, "e-value")
        assert row.log_e_value == pytest.approx(log_e_value(differences[:, i]))
        assert row.p == pytest.approx(min(1.0, 2 / math.exp(row.log_e_value or 0)))
        assert (row.ci_low, row.ci_high) == pytest.approx(low_high)
    assert found["b"].verdict == "better"
    # Three questions are left: the look has answered one of four.
    assert found["b"].p_adjusted == pytest.approx(3 * (found["b"].p or 0))


def test_a_question_that_a_look_found_negligible_still_counts_for_the_others() -> None:
    """Without it, the largest e-value of many nulls would be compared with the level of one."""
    noise = np.random.default_rng(0).normal(size=(8, 4)) * [0.0001, 0.0001, 0.0001, 0.004]
    plan = replace(PLAN, smallest_effect=0.002)
    assert verdicts(judged(noise[:4], plan)) == [*["negligible"] * 3, "undecided"]
    assert not any((row.p_adjusted or 1) < 0.05 for row in judged(noise[:4], plan).arms[1:])
    noise[:, 3] += 0.05
    runs = frame(noise)
    runs.loc[(runs.arm == "d") & (runs.seed < 4), "loss"] = 3 + np.array([1, -1, 1, -1]) * 0.04
    row = judge(runs, looked(plan, 4))["d"]
    assert row.basis == "looks"
    assert row.p_adjusted == pytest.approx(min(1.0, 4 * (row.p or 0)))


def test_an_open_arm_is_negligible_when_its_confidence_sequence_is_inside_delta() -> None:
    still = np.random.default_rng(1).normal(size=(20, 1)) * 0.001
    low, high = confidence_sequence(still[:, 0], 0.025)
    for delta, verdict in ((max(-low, high) + 1e-6, "negligible"), (high - 1e-6, "undecided")):
        plan = Plan(arms=("a",), smallest_effect=delta, looks={"a": look(2)})
        assert judge(frame(still, ("a",)), plan)["a"].verdict == verdict


def test_arms_that_were_seen_before_have_no_fixed_verdict(differences: Floats) -> None:
    found = judged(differences[:5], replace(PLAN, seen_before=frozenset(ARMS)))
    assert {row.basis for row in found.arms[1:]} == {"looks"}
    assert {row.n_planned for row in found.arms[1:]} == {0}
    assert found["a"].p_adjusted == pytest.approx(4 * (found["a"].p or 0))
    two = judged(differences[:2], replace(PLAN, seen_before=frozenset(ARMS)))
    assert verdicts(two) == ["undecided"] * 4
    assert two["a"].ci_low == -math.inf


def test_planned_seeds_that_have_not_ended_make_a_verdict_provisional(differences: Floats) -> None:
    runs = frame(differences[:5])
    runs.loc[(runs.arm == "a") & (runs.seed == 3), "status"] = "running"
    found = judge(runs, PLAN)
    assert [row.basis for row in found.arms[1:]] == ["provisional", *["planned"] * 3]
    runs = frame(differences[:8])
    runs.loc[(runs.arm == "b") & (runs.seed == 7), "status"] = "queued"
    found = judge(runs, looked(PLAN, 5))
    assert found["b"].basis == "looks"  # e-values hold at every look


def test_an_arm_that_was_unstable_at_the_look_is_judged_again() -> None:
    noise = np.random.default_rng(0).normal(size=(14, 1)) * 0.001
    runs = frame(noise - 0.05, ("a",))
    runs.loc[(runs.arm == "a") & (runs.seed < 5), "status"] = "diverged"
    plan = Plan(arms=("a",), smallest_effect=0.0, looks={"a": look(8)})
    early = judge(runs[runs.seed < 8], plan)["a"]
    assert (early.verdict, (early.p_adjusted or 1) < 0.05) == ("unstable", True)
    assert judge(runs, plan)["a"].basis == "looks"


def test_a_failed_seed_has_ended(differences: Floats) -> None:
    runs = frame(differences[:5])
    runs.loc[(runs.arm == "a") & (runs.seed == 3), "status"] = "failed"
    assert judge(runs, PLAN)["a"].basis == "planned"


def test_dropping_seeds_after_a_look_costs_the_evidence_of_all_choices(differences: Floats) -> None:
    best = np.sort(differences[:10], axis=0)[:5]  # the five lowest of ten, for every arm
    plan = replace(PLAN, looks={arm: replace(look(10), dropped=5) for arm in ARMS})
    found = judged(best, plan)
    assert {row.n_planned for row in found.arms[1:]} == {0}
    whole = log_e_value(best[:, 2])
    assert found["c"].log_e_value == pytest.approx(whole - math.log(math.comb(10, 5)))
    assert found["c"].verdict == "undecided"


def test_runs_without_pairs_have_a_part_of_alpha_at_each_later_look(differences: Floats) -> None:
    runs = frame(differences)
    runs.loc[runs.arm == "baseline", "loss"] += np.random.default_rng(3).normal(size=15) * 0.002
    runs.loc[runs.arm == "baseline", "seed"] += 100
    planned = Look(seeds=frozenset(range(5)), baseline=frozenset(range(100, 105)))
    early = judge(runs[(runs.seed % 100) < 5], PLAN)
    whole = judge(runs[runs.arm != "a"], replace(PLAN, arms=ARMS[1:]))
    assert verdicts(early) == ["better", *["undecided"] * 3]
    for extension, part in ((1, 1 / 4), (2, 1 / 8)):
        look_at = replace(planned, extension=extension)
        found = judge(runs, replace(PLAN, looks=dict.fromkeys(ARMS, look_at)))
        assert (found["a"].p, found["a"].basis) == (early["a"].p, "planned")
        for arm in ARMS[1:]:
            assert (found[arm].basis, found[arm].alpha_share) == ("looks", part)
            assert found[arm].p == pytest.approx(min(1.0, (whole[arm].p or 0) / part))
    runs.loc[(runs.arm == "b") & (runs.seed == 14), "status"] = "running"
    waiting = judge(runs, replace(PLAN, looks=dict.fromkeys(ARMS, planned)))
    assert (waiting["b"].basis, waiting["b"].p) == ("planned", early["b"].p)


def test_runs_without_pairs_that_were_seen_before_have_no_verdict(differences: Floats) -> None:
    plan = replace(PLAN, pairs=False, seen_before=frozenset(ARMS))
    assert verdicts(judged(differences, plan)) == ["undecided"] * 4


def test_a_plan_with_looks_needs_the_seeds_they_name(differences: Floats) -> None:
    runs = frame(differences).rename(columns={"seed": "init_seed"})
    with pytest.raises(ValueError, match="needs the column 'seed'"):
        judge(runs, looked(PLAN, 5))


def test_arms_that_a_look_left_open_have_their_worth_in_tokens(differences: Floats) -> None:
    other = differences.copy()
    other[:, 0] += 0.06  # less tokens: decided at the look
    budgets = {"a": 0.8, "b": 1.25}
    plan = replace(looked(PLAN, 5), budgets=budgets, outside_family=frozenset(budgets))
    found = judged(other, plan)
    assert [row.basis for row in found.arms[1:]] == ["planned", *["looks"] * 3]
    assert found["c"].worth_tokens is not None
    assert found.family == 2


def is_wrong(row: ArmVerdict) -> bool:
    return row.verdict in ("better", "worse")


@pytest.mark.parametrize("first", [3, None])
def test_simulated_extensions_are_judged_like_real_ones(first: int | None) -> None:
    """A fixed look at three seeds and every later look to five; or e-values alone from the first."""
    arms = ("a", "b", "c", "d", "e", "f")
    drawn = SCENARIOS["unequal"].differences(np.random.default_rng(8), (2, 5, 6))
    drawn[0, :, 1] -= 0.1
    plan = Plan(arms=arms, smallest_effect=0.0, seen_before=frozenset(arms))
    if first:
        plan = replace(plan, seen_before=frozenset(), looks=dict.fromkeys(arms, look(first)))
    expected = decided_ever(p_values(drawn), drawn, first)
    assert expected.tolist() == [True, False]
    for study, ever in zip(drawn, expected, strict=True):
        looks = [judge(frame(study[:n], arms), plan) for n in range(first or 3, 6)]
        assert any(is_wrong(row) for found in looks for row in found.arms[1:]) == ever


@pytest.mark.parametrize("name", ["equal, correlation 0.5", "unequal"])
def test_the_familywise_error_over_a_fixed_look_and_all_later_ones_is_at_most_six_percent(
    name: str,
) -> None:
    studies = 3000
    drawn = SCENARIOS[name].differences(np.random.default_rng(5), (studies, 20, 8))
    anytime, widened = p_values(drawn), FAMILYWISE + 2.5 * (0.06 * 0.94 / studies) ** 0.5
    for first in (3, 5, 7):
        assert decided_ever(anytime, drawn, first).mean() <= widened
    assert decided_ever(anytime, drawn, None).mean() <= 0.05
