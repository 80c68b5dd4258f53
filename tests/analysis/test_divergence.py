"""Diverged runs: a fact beside the verdict, and when they take it away."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, fisher_exact

from analysis.divergence import divergence_rate, fisher_p
from analysis.runs import ArmRuns
from analysis.verdict import ArmVerdict, Judgement, Plan, judge
from benchmarks.gates.divergence import wrong
from benchmarks.simulation import FAMILYWISE

PLAN = Plan(arms=("arm",), smallest_effect=0.005)
NOISE = np.random.default_rng(0)


def judged(
    arm: Sequence[float], baseline: Sequence[float], plan: Plan = PLAN, *, shared: bool = True
) -> Judgement:
    """Judge losses by seed; NaN for a run that diverged."""
    sides = {"arm": arm, "baseline": baseline}
    rows = [
        (name, seed if shared or name == "arm" else seed + 100, loss)
        for name, losses in sides.items()
        for seed, loss in enumerate(losses)
    ]
    runs = pd.DataFrame(rows, columns=["arm", "seed", "loss"])
    return judge(runs.assign(status=np.where(runs["loss"].isna(), "diverged", "done")), plan)


def study(effect: float, seeds: int, diverged: int) -> ArmVerdict:
    """An arm with the effect (nats), sd 0.001, whose last runs diverged; all of the baseline's are done."""
    baseline = 3.5 + 0.012 * NOISE.standard_normal(seeds)
    arm = baseline + effect + 0.001 * NOISE.standard_normal(seeds)
    arm[seeds - diverged :] = np.nan
    return judged(arm.tolist(), baseline.tolist())["arm"]


def test_an_arm_that_is_better_in_19_of_20_runs_is_better_with_1_diverged_beside_it() -> None:
    row = study(-0.051, seeds=20, diverged=1)
    assert (row.verdict, row.n_diverged, row.instability) == ("better", 1, None)
    assert row.p is not None
    assert row.p < 1e-6
    assert row.divergence_rate == 0.05
    interval = (row.divergence_rate_low, row.divergence_rate_high)
    assert interval == pytest.approx((0.0013, 0.2487), abs=1e-4)
    assert row.p_divergence == 1
    assert row.p_rank is not None
    assert row.p_rank < 0.001


@pytest.mark.parametrize(
    ("effect", "seeds", "diverged", "why"),
    [(-0.051, 20, 8, "more often"), (0.05, 20, 8, "more often"), (0.0, 3, 3, "every run")],
)
def test_an_arm_that_diverges_more_often_is_unstable(effect, seeds, diverged, why) -> None:  # noqa: ANN001
    row = study(effect, seeds, diverged)
    assert (row.verdict, row.instability, row.seeds_to_settle) == ("unstable", why, None)


@pytest.mark.parametrize(("effect", "converged"), [(-0.051, "better"), (0.0, "negligible")])
def test_a_verdict_in_favour_of_an_arm_must_hold_with_its_diverged_runs_as_the_worst(
    effect: float, converged: str
) -> None:
    few = study(effect, seeds=5, diverged=1)
    assert (few.verdict, few.verdict_converged) == ("unstable", converged)
    assert few.instability == "rank test"
    assert few.p is not None
    assert few.p_rank_claim is not None
    assert few.p_rank_claim >= 0.05
    assert study(effect, seeds=12, diverged=1).verdict == converged


def test_a_verdict_against_an_arm_needs_no_such_test() -> None:
    row = study(0.05, seeds=5, diverged=1)
    assert (row.verdict, row.p_rank_claim) == ("worse", None)


def test_a_baseline_that_diverges_as_often_leaves_the_verdict() -> None:
    arm, baseline = [3.40, 3.41, 3.42, 3.43, np.nan], [3.501, 3.509, 3.522, 3.530, np.nan]
    row = judged(arm, baseline)["arm"]
    assert (row.verdict, row.p_divergence) == ("better", 1)
    elsewhere = judged(arm, [np.nan, *baseline[1:4], 3.5])["arm"]
    assert elsewhere.verdict in ("better", "undecided")


def test_arms_that_share_no_seed_are_ranked_among_all_runs() -> None:
    arm, baseline = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, np.nan], [2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6]
    row = judged(arm, baseline, shared=False)["arm"]
    assert row.verdict == "better"
    assert row.p_rank == pytest.approx(0.026, abs=1e-3)  # U = 7: 7 runs below, 1 above 7 others


def test_a_metric_that_is_better_when_higher_has_diverged_runs_at_its_low_end() -> None:
    losses = [-3.40, -3.41, -3.42, -3.43, np.nan], [-3.501, -3.509, -3.522, -3.530, -3.55]
    low = judged(*losses, replace(PLAN, higher_is_better=True))["arm"]
    turned = judged(*([-x for x in side] for side in losses))["arm"]
    assert (low.verdict, low.p_rank) == (turned.verdict, turned.p_rank)
    assert low.instability == "rank test"


def test_without_a_diverged_run_there_is_nothing_to_test() -> None:
    judgement = judged([3.4, 3.5, 3.7], [3.5, 3.61, 3.79])
    row = judgement["arm"]
    assert (row.divergence_rate, row.p_divergence, row.p_rank, row.instability) == (
        *(0, None, None),
        None,
    )
    assert row.verdict_converged == row.verdict
    assert judgement["baseline"].divergence_rate_high == pytest.approx(1 - 0.025 ** (1 / 3))


@pytest.mark.parametrize(("bad", "good"), [(0, 5), (1, 19), (3, 2), (4, 0)])
def test_the_interval_of_a_rate_is_clopper_and_pearsons(bad: int, good: int) -> None:
    runs = ArmRuns(
        arm="a",
        losses={(i,): 1.0 for i in range(good)},
        diverged=frozenset((100 + i,) for i in range(bad)),
        n_failed=2,
        n_missing=3,
    )
    found = divergence_rate(runs, 0.05)
    assert found is not None
    expected = binomtest(bad, bad + good).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("table", [(3, 5, 0, 5), (4, 5, 0, 5), (0, 7, 2, 9), (8, 20, 1, 30)])
def test_fishers_p_is_that_of_r(table: tuple[int, int, int, int]) -> None:
    bad, total, other, total_other = table
    cells = [[bad, total - bad], [other, total_other - other]]
    assert fisher_p(*table) == pytest.approx(fisher_exact(cells).pvalue)


def test_fishers_tea_has_the_p_in_print() -> None:
    # Fisher, The Design of Experiments (1935), chapter 2: three of four cups, one-sided 17/70.
    assert fisher_p(3, 4, 1, 4) == pytest.approx(34 / 70)


@pytest.mark.slow
def test_null_arms_that_diverge_like_the_baseline_get_no_verdict_beyond_the_error_rate() -> None:
    # Those with the highest losses diverge. The limit is the gate's plus two and a half standard errors.
    studies = 25
    share = np.mean(wrong(studies, seeds=5, rate=0.2, at_random=False))
    assert share <= FAMILYWISE + 2.5 * (FAMILYWISE * (1 - FAMILYWISE) / studies) ** 0.5
