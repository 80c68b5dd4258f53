"""Steps of a ladder: each arm beside the arm that it adds one change to."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind, ttest_rel

from analysis.anytime import log_e
from analysis.looks import Look
from analysis.multiplicity import adjust
from analysis.rules import Plan, Race
from analysis.steps import Step, StepVerdict, judge_steps
from benchmarks.simulation import ALPHA, FAMILYWISE, Decisions, Draw, Floats, normal, t4

RUNGS = tuple("abcdef")
LADDER = [Step(arm=arm, before=before) for before, arm in pairwise(RUNGS)]
PLAN = Plan(arms=RUNGS, smallest_effect=0.0)
STUDIES = 4000
WIDENED = 2.5 * (FAMILYWISE * (1 - FAMILYWISE) / STUDIES) ** 0.5
"""A simulated rate may exceed its limit by this much."""


def frame(losses: Floats) -> pd.DataFrame:
    """Runs of the baseline and of all rungs, from losses of shape (seeds, rungs)."""
    table = pd.DataFrame(losses, columns=list(RUNGS[: losses.shape[1]])).assign(baseline=3.1)
    runs = table.rename_axis("seed").reset_index().melt("seed", var_name="arm", value_name="loss")
    return runs.assign(status="done")


def ladder(seeds: int, *, means: Floats | float = 0.0, number: int = 1) -> Floats:
    """Losses of one study, shape (seeds, rungs): what seeds have in common, and noise of each run."""
    generator = np.random.default_rng(number)
    common = 3 + 0.02 * generator.normal(size=(seeds, 1))
    return np.asarray(common + means + 0.004 * generator.normal(size=(seeds, len(RUNGS))))


def with_status(runs: pd.DataFrame, arm: str, seeds: list[int], status: str) -> pd.DataFrame:
    changed = (runs["arm"] == arm) & runs["seed"].isin(seeds)
    return runs.assign(loss=runs["loss"].mask(changed), status=runs["status"].mask(changed, status))


def verdicts(found: list[StepVerdict]) -> list[str]:
    return [each.verdict for each in found]


def test_two_steps_have_the_paired_t_of_scipy_and_holms_p() -> None:
    losses = ladder(5, means=np.array([0.0, -0.006, -0.006, 0, 0, 0]))
    found = judge_steps(frame(losses), LADDER[:2], PLAN)
    plain = [ttest_rel(losses[:, rung + 1], losses[:, rung]) for rung in (0, 1)]
    assert [each.method for each in found] == ["paired t"] * 2
    assert [each.p for each in found] == pytest.approx([each.pvalue for each in plain])
    low, high = sorted(each.pvalue for each in plain)
    expected = {low: min(2 * low, 1), high: max(high, min(2 * low, 1))}
    assert [each.p_adjusted for each in found] == pytest.approx([expected[p.pvalue] for p in plain])
    ends = [each.confidence_interval(1 - ALPHA) for each in plain]
    assert [(each.ci_low, each.ci_high) for each in found] == [
        pytest.approx((one.low, one.high)) for one in ends
    ]
    assert [each.effect for each in found] == pytest.approx(
        np.diff(losses.mean(axis=0))[:2].tolist()
    )


def test_a_rung_is_judged_beside_the_one_before_and_not_beside_the_baseline() -> None:
    means = np.array([0.5, 0.0, -0.2, -0.2, 0.1, 0.1])
    found = judge_steps(frame(ladder(5, means=means)), LADDER, PLAN)
    assert verdicts(found) == ["better", "better", "undecided", "worse", "undecided"]
    assert (found[0].arm, found[0].before, found[0].n) == ("b", "a", 5)
    higher = replace(PLAN, higher_is_better=True)
    mirrored = judge_steps(frame(ladder(5, means=means)), LADDER, higher)
    assert verdicts(mirrored) == ["worse", "worse", "undecided", "better", "undecided"]


def test_steps_without_pairs_have_the_unpaired_t_over_all_runs() -> None:
    losses = ladder(6, means=np.array([0, -0.1, -0.1, 0, 0, 0]))
    found = judge_steps(frame(losses), LADDER[:1], replace(PLAN, pairs=False))
    assert found[0].method == "Welch t"
    plain = ttest_ind(losses[:, 1], losses[:, 0], equal_var=False)
    assert found[0].p == pytest.approx(plain.pvalue)
    assert (found[0].n, found[0].verdict, found[0].basis) == (6, "better", "planned")


def test_in_a_race_steps_without_pairs_are_undecided_whatever_their_size() -> None:
    seeds = dict.fromkeys(("baseline", *RUNGS), tuple(range(6)))
    rules = replace(PLAN, pairs=False, race=Race(start=3, seeds=seeds))
    losses = ladder(6, means=np.array([0, -1.0, -2, 0, 0, 0]))
    assert set(verdicts(judge_steps(frame(losses), LADDER, rules))) == {"undecided"}


def test_only_seeds_that_both_have_make_pairs() -> None:
    losses = ladder(6, means=np.array([0, -0.1, -0.2, 0, 0, 0]))
    runs = frame(losses)
    runs = runs[~((runs["arm"] == "b") & (runs["seed"] >= 4))]
    runs = with_status(runs, "c", [0], "queued")
    runs = with_status(runs, "c", [1], "failed")
    first, second = judge_steps(runs, LADDER[:2], PLAN)
    assert (first.n, first.n_missing, first.basis) == (4, 0, "planned")
    assert (second.n, second.n_missing, second.basis) == (2, 2, "provisional")
    assert second.effect == pytest.approx((losses[2:4, 2] - losses[2:4, 1]).mean())


def test_a_step_whose_arm_diverges_where_the_one_before_did_not_is_unstable() -> None:
    runs = frame(ladder(6, means=np.array([0, -0.1, -0.1, 0, 0, 0])))
    here = judge_steps(with_status(runs, "b", [0, 1, 2], "diverged"), LADDER[:1], PLAN)[0]
    assert (here.verdict, here.verdict_converged, here.n_diverged) == ("unstable", "better", 3)
    there = judge_steps(with_status(runs, "a", [0, 1], "diverged"), LADDER[:1], PLAN)[0]
    assert (there.verdict, there.n, there.n_diverged, there.n_missing) == ("better", 4, 0, 2)


def test_equal_losses_are_identical_and_an_arm_without_runs_is_undecided() -> None:
    losses = ladder(3)
    losses[:, 1] = losses[:, 0]
    runs = frame(losses)
    found = judge_steps(runs[runs["arm"] != "d"], LADDER, PLAN)
    assert verdicts(found) == ["identical", "undecided", *["undecided"] * 3]
    assert [each.n for each in found] == [3, 3, 0, 0, 3]
    assert judge_steps(runs, [], PLAN) == []


def test_losses_with_few_digits_are_no_noiseless_evidence() -> None:
    losses = np.array([[3.41, 3.40], [3.42, 3.41], [3.43, 3.42]])
    (found,) = judge_steps(frame(losses), LADDER[:1], replace(PLAN, arms=RUNGS[:2]))
    assert found.verdict == "undecided"
    assert found.effect == pytest.approx(-0.01)


def look(*seeds: int) -> Look:
    return Look(seeds=frozenset(seeds), baseline=frozenset(seeds))


def test_after_a_look_the_planned_seeds_decide_first_and_e_values_later() -> None:
    losses = ladder(12, means=np.array([0, -0.1, -0.106, -0.106, -0.106, -0.106]))
    at_look = judge_steps(frame(losses[:4]), LADDER, PLAN)
    looks = dict.fromkeys(RUNGS, look(*range(4)))
    later = judge_steps(frame(losses), LADDER, replace(PLAN, looks=looks))
    assert (at_look[0].verdict, at_look[1].verdict) == ("better", "undecided")
    assert later[0].basis == "planned"
    assert later[0].p == at_look[0].p
    assert (later[1].basis, later[1].method) == ("looks", "e-value")
    differences = losses[:, 2] - losses[:, 1]
    moments = differences.mean(), differences.var(ddof=1)
    assert later[1].p == pytest.approx(min(1, 2 / np.exp(log_e(12, *moments))))


def test_if_only_one_arm_was_looked_at_nothing_was_fixed_and_e_values_decide() -> None:
    found = judge_steps(frame(ladder(6)), LADDER[:2], replace(PLAN, looks={"a": look(0, 1, 2)}))
    assert [each.method for each in found] == ["e-value", "paired t"]
    (seen,) = judge_steps(frame(ladder(6)), LADDER[:1], replace(PLAN, seen_before=frozenset("b")))
    assert seen.method == "e-value"


def null_ladders(draw: Draw, seeds: int, studies: int = STUDIES) -> Floats:
    """Differences of neighbouring rungs without effects, shape (studies, seeds, steps)."""
    sizes = 0.004 * np.array([1.0, 2.0, 0.5, 1.0, 4.0, 1.0])
    losses = sizes * draw(np.random.default_rng(seeds), (studies, seeds, len(RUNGS)))
    return np.diff(losses, axis=2)


@pytest.mark.parametrize("draw", [normal, t4])
@pytest.mark.parametrize("seeds", [3, 5])
def test_the_familywise_error_of_null_steps_with_fixed_seeds_is_at_most_six_percent(
    draw: Draw,
    seeds: int,
) -> None:
    null = null_ladders(draw, seeds)
    assert Decisions.on(null).familywise <= FAMILYWISE + WIDENED
    losses = 3 + np.concatenate([np.zeros((seeds, 1)), null[0].cumsum(axis=1)], axis=1)
    found = judge_steps(frame(losses), LADDER, PLAN)  # the simulation judges as the analysis does
    simulated = Decisions.on(null[:1])
    assert [each.p_adjusted for each in found] == pytest.approx(simulated.p_adjusted[0].tolist())


@pytest.mark.parametrize("draw", [normal, t4])
def test_in_a_race_the_familywise_error_of_null_steps_is_at_most_alpha_whatever_stops_it(
    draw: Draw,
) -> None:
    most = 12
    null = null_ladders(draw, most)
    largest = np.full((STUDIES, len(LADDER)), -np.inf)
    for n in range(2, most + 1):  # each step may stop at the number of seeds that suits it most
        some = null[:, :n]
        largest = np.maximum(largest, log_e(n, some.mean(axis=1), some.var(axis=1, ddof=1)))
    p = np.exp(np.minimum(0.0, -largest))
    wrong = (adjust(p, "holm") < ALPHA).any(axis=1)
    assert wrong.mean() <= ALPHA + WIDENED
    seeds = dict.fromkeys(("baseline", *RUNGS), tuple(range(most)))
    rules = replace(PLAN, race=Race(start=3, seeds=seeds))
    losses = 3 + np.concatenate([np.zeros((most, 1)), null[0].cumsum(axis=1)], axis=1)
    some = null[0]
    last = log_e(most, some.mean(axis=0), some.var(axis=0, ddof=1))
    found = judge_steps(frame(losses), LADDER, rules)
    assert {each.basis for each in found} == {"looks"}
    assert [each.p for each in found] == pytest.approx(np.exp(np.minimum(0, -last)).tolist())
