"""Predicted and confirmed effects of stacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr

from analysis.moderation import fit_prior, moderate
from analysis.multiplicity import adjust
from analysis.rules import Plan
from analysis.stacking import Promise, confirm, gap, promise, shrinkage
from analysis.verdict import judge

UNEQUAL = np.array([0.0025, 0.0063, 0.0030, 0.0091, 0.0003, 0.0006, 0.0188, 0.0075])
"""Sds of paired differences, measured at small scale, nats."""
LARGE = 1e6
"""Degrees of freedom of an error that is practically known."""


def overstatement(real: float, seeds: int, studies: int = 3000) -> dict[str, float]:
    """The excess of the sum of chosen effects over the sum of the true ones.

    Each arm does nothing, or with chance `real` something that is normal with an sd of 0.004
    nats, half of the sd of the noisier arms.
    """
    generator = np.random.default_rng(1)
    shape = (studies, UNEQUAL.size)
    true = np.where(generator.random(shape) < real, generator.normal(0, 0.004, shape), 0.0)
    noise = generator.normal(size=(*shape, seeds)) * UNEQUAL[:, None]
    differences = true[..., None] + noise
    means, variances = differences.mean(axis=-1), differences.var(axis=-1, ddof=1)
    moderated, df = moderate(variances, seeds - 1, fit_prior(variances, seeds - 1))
    errors = np.sqrt(moderated / seeds)
    p = 2 * stdtr(df, -np.abs(means / errors))
    lower = means < 0
    better = lower & (adjust(p, "holm") < 0.05)
    shrunk = means * shrinkage(means, errors, df)
    sums = {
        "keep if better": means[lower].sum() / true[lower].sum(),
        "significant": means[better].sum() / true[better].sum(),
        "shrunk": shrunk[better].sum() / true[better].sum(),
    }
    return {rule: float(ratio) - 1 for rule, ratio in sums.items()}


@pytest.mark.parametrize(("real", "seeds"), [(1.0, 5), (1.0, 7), (0.5, 5), (0.5, 7)])
def test_picked_winners_are_overstated_less_when_shrunk(real: float, seeds: int) -> None:
    found = overstatement(real, seeds)
    assert 0.4 < found["keep if better"] < 2.0
    assert 0.07 < found["significant"] < 0.28
    assert 0.02 < found["shrunk"] < 0.10


def test_equal_errors_give_james_and_stein_s_factor() -> None:
    # 1 - (k - 2) s^2 / sum of squares (James and Stein 1961, 4th Berkeley Symposium 1, 361-379)
    effects = np.array([-3.0, -1.0, 0.5, 2.0, 0.1])
    factor = 1 - 3 / float(effects @ effects)
    assert shrinkage(effects, 1.0, LARGE) == pytest.approx([factor] * 5, rel=1e-6)


def test_effects_that_scatter_no_more_than_their_errors_are_shrunk_to_zero() -> None:
    assert shrinkage([-1.0, 0.8, 0.3, -0.4], 1.0, LARGE).tolist() == [0.0] * 4


def test_an_error_on_few_degrees_of_freedom_counts_for_more() -> None:
    effects = [-3.0, -1.0, 0.5, 2.0, 3.0]
    few, many = shrinkage(effects, 1.0, 3), shrinkage(effects, 1.0, LARGE)
    assert (few < many).all()


@pytest.mark.parametrize("effects", [[-3.0], [-3.0, -1.0]])
def test_fewer_than_three_arms_are_not_shrunk(effects: list[float]) -> None:
    assert shrinkage(effects, 1.0, LARGE).tolist() == [1.0] * len(effects)


@given(
    effects=st.lists(st.floats(-5, 5), min_size=3, max_size=12),
    scale=st.floats(1e-6, 1e6),
    seed=st.integers(0, 1000),
)
def test_factors_lie_between_zero_and_one_and_do_not_depend_on_the_unit(
    effects: list[float], scale: float, seed: int
) -> None:
    errors = np.random.default_rng(seed).uniform(0.1, 2.0, len(effects))
    factors = shrinkage(effects, errors, 4)
    assert ((factors >= 0) & (factors <= 1)).all()
    scaled = shrinkage(scale * np.array(effects), scale * errors, 4)
    assert scaled == pytest.approx(factors, abs=1e-6)


def runs(effects: dict[str, float], seeds: range, sd: float = 0.001) -> pd.DataFrame:
    """Losses of arms that share the noise of a seed, plus independent noise of `sd`."""
    generator = np.random.default_rng(len(effects))
    shared = dict(zip(seeds, generator.normal(0, 0.01, len(seeds)), strict=True))
    return pd.DataFrame(
        [
            (arm, seed, 2.3 + effect + shared[seed] + generator.normal(0, sd), "done")
            for arm, effect in effects.items()
            for seed in seeds
        ],
        columns=["arm", "seed", "loss", "status"],
    )


ALONE = {"baseline": 0.0, "a": -0.03, "b": -0.02, "c": 0.0, "d": 0.05}
RULES = Plan(arms=(), smallest_effect=0.005)


def promised() -> Promise:
    frame = runs(ALONE, range(1, 6))
    verdicts = judge(frame, Plan(arms=("a", "b", "c", "d"), smallest_effect=0.005)).arms[1:]
    return promise(frame, verdicts, ["a", "b"], "baseline")


def test_a_promise_is_the_sum_of_its_members_and_no_larger_than_the_estimates() -> None:
    found = promised()
    assert found.effect == pytest.approx(sum(found.members.values()))
    assert list(found.members) == ["a", "b"]
    assert found.unshrunk < found.effect < 0.99 * found.unshrunk < 0
    assert found.df == 4
    low, high = found.interval(0.05)
    assert low < -0.05 < high


def test_the_error_of_a_promise_accounts_for_the_shared_baseline() -> None:
    frame = runs({"baseline": 0.0, "a": -0.03, "b": -0.02}, range(1, 401), sd=0.0)
    frame.loc[frame["arm"] == "baseline", "loss"] += np.random.default_rng(3).normal(0, 0.01, 400)
    verdicts = judge(frame, Plan(arms=("a", "b"), smallest_effect=0.005)).arms[1:]
    found = promise(frame, verdicts, ["a", "b"], "baseline")
    assert found.standard_error == pytest.approx(2 * 0.01 / 400**0.5, rel=0.1)


def test_without_shared_seeds_the_errors_are_taken_to_be_independent() -> None:
    frame = runs({"baseline": 0.0, "a": -0.03, "b": -0.02}, range(1, 8))
    frame["seed"] += frame["arm"].map({"baseline": 0, "a": 100, "b": 200})
    verdicts = judge(frame, Plan(arms=("a", "b"), smallest_effect=0.005)).arms[1:]
    found = promise(frame, verdicts, ["a", "b"], "baseline")
    both = [row.standard_error or 0.0 for row in verdicts]
    assert found.standard_error == pytest.approx(float(np.hypot(*both)))


WITHOUT = {"a": "without-a", "b": "without-b"}


def test_members_that_add_up_are_needed_and_leave_no_gap() -> None:
    fresh = {"baseline": 0.0, "stack": -0.05, "without-a": -0.02, "without-b": -0.03}
    found = confirm(runs(fresh, range(6, 11)), "stack", WITHOUT, RULES)
    assert found.stack.verdict == "better"
    assert [row.verdict for row in found.removals.values()] == ["worse", "worse"]
    assert found.harmful() == []
    interaction = gap(promised(), found.stack, 0.05)
    assert interaction is not None
    assert interaction.ci_low < 0 < interaction.ci_high
    assert interaction.p > 0.05


def test_a_member_that_adds_nothing_is_found_and_so_is_the_gap_it_leaves() -> None:
    fresh = {"baseline": 0.0, "stack": -0.03, "without-a": -0.02, "without-b": -0.03}
    found = confirm(runs(fresh, range(6, 11)), "stack", WITHOUT, RULES)
    assert [row.verdict for row in found.removals.values()] == ["worse", "negligible"]
    interaction = gap(promised(), found.stack, 0.05)
    assert interaction is not None
    assert interaction.ci_low > 0.01
    assert interaction.p < 0.01


def test_a_member_that_harms_the_stack_is_found() -> None:
    fresh = {"baseline": 0.0, "stack": -0.01, "without-a": -0.02, "without-b": -0.03}
    found = confirm(runs(fresh, range(6, 11)), "stack", WITHOUT, RULES)
    assert found.harmful() == ["a", "b"]
    assert found.rest["b"].effect == pytest.approx(-0.03, abs=0.002)


def test_a_stack_of_one_is_confirmed_too() -> None:
    found = confirm(runs({"baseline": 0.0, "stack": -0.03}, range(6, 11)), "stack", {}, RULES)
    assert (found.stack.verdict, found.removals) == ("better", {})


def test_a_stack_that_diverged_everywhere_has_no_gap() -> None:
    frame = runs({"baseline": 0.0, "stack": -0.03}, range(6, 11))
    diverged = frame["arm"] == "stack"
    frame = frame.assign(
        status=frame["status"].mask(diverged, "diverged"), loss=frame["loss"].mask(diverged)
    )
    found = confirm(frame, "stack", {}, RULES)
    assert found.stack.verdict == "unstable"
    assert gap(promised(), found.stack, 0.05) is None


def test_the_interval_of_a_promise_includes_the_choice_and_is_stored_with_it() -> None:
    frame = one_of_many(-0.02, 0.005)
    names = tuple(sorted(set(frame["arm"]) - {"baseline"}))
    rows = judge(frame, Plan(arms=names, smallest_effect=0.0)).arms[1:]
    found = promise(frame, rows, ["a"], "baseline")
    plain = replace(found, ci_low=None, ci_high=None)
    (low, high), (plain_low, plain_high) = found.interval(0.05), plain.interval(0.05)
    assert low <= found.effect <= high
    assert high >= plain_high  # towards zero: the arm may have been lucky
    assert low <= plain_low
    assert found.interval(0.5) == (low, high)  # at the alpha of the study that chose


def one_of_many(effect: float, sd: float) -> pd.DataFrame:
    """Six arms over five seeds, of which only `a` has an effect (nats)."""
    generator = np.random.default_rng(3)
    rows = []
    for seed in range(5):
        base = 3.5 + 0.01 * generator.normal()
        rows.append(("baseline", seed, base))
        rows += [
            (arm, seed, base + (effect if arm == "a" else 0.0) + sd * generator.normal())
            for arm in "abcdef"
        ]
    return pd.DataFrame(rows, columns=["arm", "seed", "loss"]).assign(status="done")
