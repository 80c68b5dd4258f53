"""Verdicts, one promise at a time."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.effects import paired_t, welch_t
from analysis.verdict import ArmVerdict, Plan, judge

BASE = [3.51, 3.49, 3.50, 3.52, 3.48]
SPREAD = [0.001, -0.002, 0.003, 0.000, -0.002]  # mean 0
PLAN = Plan(arms=("arm",), smallest_effect=0.005)


def shifted(by: float, spread: float = 1.0) -> list[float]:
    """Losses of an arm whose paired differences have the mean `by`."""
    return [base + by + spread * wobble for base, wobble in zip(BASE, SPREAD, strict=True)]


def verdict_on(study, arm, base=BASE, plan=PLAN) -> ArmVerdict:  # noqa: ANN001
    return judge(study({"baseline": base, "arm": arm}), plan)["arm"]


def with_status(runs: pd.DataFrame, arm: str, seed: int, status: str) -> pd.DataFrame:
    changed = runs.copy()
    changed.loc[(runs["arm"] == arm) & (runs["seed"] == seed), ["status", "loss"]] = status, np.nan
    return changed


@pytest.mark.parametrize(
    ("by", "spread", "verdict"),
    [
        (-0.02, 1, "better"),
        (0.02, 1, "worse"),
        (0.0, 1, "negligible"),
        (0.0, 9, "undecided"),
        (-0.02, 20, "undecided"),
    ],
)
def test_the_verdict_follows_the_table(study, by, spread, verdict) -> None:  # noqa: ANN001
    row = verdict_on(study, shifted(by, spread))
    assert row.verdict == verdict
    assert (row.chance_to_settle is not None) == (verdict == "undecided")


@pytest.mark.parametrize("by", [-0.02, 0.0, 0.02])
def test_the_negated_metric_with_higher_is_better_has_the_same_verdict(study, by) -> None:  # noqa: ANN001
    row = verdict_on(study, shifted(by))
    negated = [-loss for loss in shifted(by)]
    plan = replace(PLAN, higher_is_better=True)
    turned = verdict_on(study, negated, base=[-loss for loss in BASE], plan=plan)
    assert (turned.verdict, turned.p) == (row.verdict, row.p)
    assert turned.effect == pytest.approx(-row.effect)


def test_a_real_effect_within_delta_is_negligible_and_marked_as_real(study) -> None:  # noqa: ANN001
    row = verdict_on(study, shifted(-0.002, 0.1))
    assert row.p_adjusted is not None
    assert row.p_adjusted < 0.05
    assert (row.verdict, row.real_but_negligible) == ("negligible", True)
    assert not verdict_on(study, shifted(0.0)).real_but_negligible


def test_a_row_has_the_paired_t_and_the_other_methods(study) -> None:  # noqa: ANN001
    arm = shifted(-0.02)
    row, differences = verdict_on(study, arm), np.subtract(arm, BASE)
    assert row.method == "paired t"
    assert row.effect == pytest.approx(-0.02)
    assert row.p == row.p_paired == pytest.approx(paired_t(differences).p, rel=1e-9)
    assert (row.ci_low, row.ci_high) == pytest.approx(paired_t(differences).interval(0.05))
    assert row.p_welch == pytest.approx(welch_t(arm, BASE).p)
    assert row.p_permutation == 2 / 2**5
    gain = (np.var(arm, ddof=1) + np.var(BASE, ddof=1)) / np.var(differences, ddof=1)
    assert row.pairing_gain == pytest.approx(gain)
    assert row.correlation == pytest.approx(np.corrcoef(arm, BASE)[0, 1])
    assert (row.n_done, row.n_shared, row.n_missing) == (5, 5, 0)


def test_the_baseline_comes_first_and_has_no_effect(study) -> None:  # noqa: ANN001
    judgement = judge(study({"arm": shifted(0.0), "baseline": BASE}), PLAN)
    first = judgement.arms[0]
    assert (first.arm, first.n_done, first.verdict, first.effect) == ("baseline", 5, None, None)
    assert judgement.noise is not None
    assert (first.mean, first.sd) == (judgement.noise.mean, judgement.noise.sd)
    with pytest.raises(KeyError, match=r"no arm 'leg'; arms: \['baseline', 'arm'\]"):
        judgement["leg"]


def test_identical_arms_are_identical_and_not_infinitely_significant(study) -> None:  # noqa: ANN001
    row = verdict_on(study, BASE)
    assert (row.verdict, row.effect, row.p, row.p_adjusted) == ("identical", 0.0, None, None)


def test_a_seed_that_diverged_only_here_makes_an_arm_of_five_seeds_unstable(study) -> None:  # noqa: ANN001
    runs = with_status(study({"baseline": BASE, "arm": shifted(-0.02)}), "arm", 3, "diverged")
    row = judge(runs, PLAN)["arm"]
    assert (row.verdict, row.n_done, row.n_diverged, row.n_shared) == ("unstable", 4, 1, 4)
    assert (row.verdict_converged, row.p_adjusted) == ("better", row.p)
    assert row.effect is not None
    both = with_status(runs, "baseline", 3, "diverged")
    assert judge(both, PLAN)["arm"].verdict == "better"


@pytest.mark.parametrize("status", ["failed", "diverged", "queued"])
def test_no_arm_is_unstable_if_the_baseline_has_no_loss(study, status: str) -> None:  # noqa: ANN001
    runs = with_status(study({"baseline": BASE, "arm": shifted(-0.02)}), "arm", 3, "diverged")
    for seed in range(1, 6):
        runs = with_status(runs, "baseline", seed, status)
    row = judge(runs, PLAN)["arm"]
    assert (row.verdict, row.effect, row.n_diverged) == ("undecided", None, 1)


def test_runs_that_failed_or_are_missing_are_counted_and_not_paired(study) -> None:  # noqa: ANN001
    runs = study({"baseline": BASE, "arm": shifted(-0.02)})
    for seed, status in [(1, "failed"), (2, "queued")]:
        runs = with_status(runs, "arm", seed, status)
    row = judge(with_status(runs, "baseline", 5, "failed"), PLAN)["arm"]
    assert (row.n_done, row.n_failed, row.n_missing, row.n_shared) == (3, 1, 1, 2)
    assert row.mean == pytest.approx(np.mean(shifted(-0.02)[2:]))


def test_arms_that_failed_still_count_as_questions(study) -> None:  # noqa: ANN001
    runs = study({"baseline": BASE, "arm": shifted(-0.02), "lost": BASE})
    for seed in range(1, 6):
        runs = with_status(runs, "lost", seed, "failed")
    judgement = judge(runs, replace(PLAN, arms=("arm", "lost")))
    row, lost = judgement["arm"], judgement["lost"]
    assert judgement.family == 2
    assert row.p is not None
    assert row.p_adjusted == 2 * row.p
    assert (lost.verdict, lost.n_failed, lost.effect, lost.method) == ("undecided", 5, None, None)
    assert lost.seeds_to_settle is None


def test_an_arm_outside_the_family_does_not_change_the_p_values_of_others(study) -> None:  # noqa: ANN001
    runs = study({"baseline": BASE, "arm": shifted(-0.02), "placebo": shifted(0.0)})
    arms = ("arm", "placebo")
    judgement = judge(runs, replace(PLAN, arms=arms, outside_family=frozenset({"placebo"})))
    assert judgement.family == 1
    assert judgement["arm"].p_adjusted == judgement["arm"].p
    assert judgement["placebo"].p_adjusted == judgement["placebo"].p


def test_an_empty_study_is_undecided() -> None:
    runs = pd.DataFrame(columns=["arm", "seed", "loss", "status"])
    row = judge(runs, PLAN)["arm"]
    assert (row.verdict, row.n_done, row.mean, row.effect) == ("undecided", 0, None, None)


def test_a_verdict_that_depends_on_moderation_is_marked(study) -> None:  # noqa: ANN001
    wobble = np.array([1.0, -2.0, 1.0])
    arms = {f"arm-{i}": list(BASE[:3] + 0.001 * np.roll(wobble, i)) for i in range(7)}
    arms["arm"] = list(np.add(BASE[:3], -0.006 + 0.001 * wobble))
    plan = Plan(arms=tuple(arms), smallest_effect=0.001)
    row = judge(study({"baseline": BASE[:3], **arms}), plan)["arm"]
    assert row.verdict == "better"
    assert row.p_paired is not None
    assert row.p_paired * 8 > 0.05
    assert row.sensitive


def test_an_undecided_welch_and_a_permutation_of_few_seeds_do_not_mark_a_verdict(study) -> None:  # noqa: ANN001
    row = verdict_on(study, shifted(-0.006))
    assert row.verdict == "better"
    assert row.p_welch is not None
    assert row.p_permutation is not None
    assert min(row.p_welch, row.p_permutation) > 0.05
    assert not row.sensitive


def test_a_permutation_that_could_have_agreed_and_does_not_marks_a_verdict(study) -> None:  # noqa: ANN001
    wobble = [0.0, 0.1, -0.1, 0.05, -0.05, 0.02, -0.02]
    base = [3.5 + x for x in wobble]
    # One opposite difference in seven: t is barely significant, the permutation barely not.
    differences = [-0.010, -0.011, -0.012, -0.009, -0.010, -0.011, 0.0019]
    arm = [loss + d for loss, d in zip(base, differences, strict=True)]
    row = verdict_on(study, arm, base, replace(PLAN, smallest_effect=0.001, alpha=0.02))
    assert row.p is not None
    assert row.p_permutation is not None
    assert row.p < 0.02 < row.p_permutation
    assert row.sensitive


def test_the_reference_results_have_the_known_noise_p_values_and_verdicts(
    reference: pd.DataFrame,
) -> None:
    arms = tuple(dict.fromkeys(reference["arm"][reference["arm"] != "baseline"]))
    judgement = judge(reference, Plan(arms=arms, smallest_effect=0.005))
    noise = judgement.noise
    assert noise is not None
    assert noise.sd == pytest.approx(0.01234, abs=5e-6)
    assert (noise.ci_low, noise.ci_high) == pytest.approx((0.00795, 0.02717), abs=5e-6)
    p = {row.arm: row.p for row in judgement.arms}
    assert p["gradient-clipping"] == pytest.approx(0.78, abs=5e-3)
    assert p["float32"] == pytest.approx(0.72, abs=5e-3)
    assert p["qkv-bias"] == pytest.approx(0.71, abs=5e-3)
    assert p["weight-decay-0.01"] == pytest.approx(0.056, abs=5e-4)
    assert p["no-dropout"] == pytest.approx(0.047, abs=5e-4)
    assert p["lr-schedule"] == pytest.approx(0.0016, abs=5e-5)
    assert judgement["lr-schedule"].p_adjusted == pytest.approx(0.0094, abs=5e-5)
    assert {row.verdict for row in judgement.arms[1:]} == {"undecided"}
    looks = {row.arm: row.looks for row in judgement.arms[1:] if row.looks}
    harmful = {"weight-tying": "worse", "weight-decay-0.337": "worse"}
    assert looks == {"lr-schedule": "better", **harmful}
    assert {row.method for row in judgement.arms[1:]} == {"prediction t"}


def test_judging_does_not_import_the_slow_parts_of_scipy() -> None:
    code = "import sys, analysis.verdict; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
