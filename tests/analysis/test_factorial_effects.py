"""Effects of factorials: against textbooks, statsmodels, and designs that are not complete."""

from __future__ import annotations

from itertools import combinations, product
from math import prod

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.stats import ttest_1samp

from analysis.factorials.contrasts import beside_all_others, beyond_the_sum, judge_contrasts
from analysis.factorials.judge import judge_factorial
from analysis.factorials.lenth import null_of, pseudo_standard_error
from analysis.factorials.result import FactorialResult
from analysis.factorials.terms import Factors
from analysis.rules import Plan
from benchmarks.published import FILTRATION

PILOT = ([59, 74, 50, 69, 50, 81, 46, 79], [61, 70, 58, 67, 54, 85, 44, 81])
"""Box, Hunter and Hunter (1978), table 10.2: temperature, concentration, catalyst; two runs each."""
PLAN = Plan(arms=(), smallest_effect=0.0, higher_is_better=True)


def standard(k: int) -> list[tuple[int, ...]]:
    """The first factor changes fastest; levels 0 and 1."""
    return [row[::-1] for row in product((0, 1), repeat=k)]


def factors_of(names: str, rows: list[tuple[int, ...]]) -> Factors:
    return Factors(
        names=tuple(names),
        labels=tuple((name,) for name in names),
        cells={"".join(map(str, row)): row for row in rows},
    )


def runs_of(rows: list[tuple[int, ...]], values: list[float], first_seed: int = 1) -> pd.DataFrame:
    """Runs that share no seed."""
    arms = ["".join(map(str, row)) for row in rows]
    seeds = range(first_seed, first_seed + len(rows))
    return pd.DataFrame({"arm": arms, "seed": seeds, "loss": values}).assign(status="done")


def unpaired(names: str, rows: list[tuple[int, ...]], *columns: list[float]) -> FactorialResult:
    """The effects of runs without seeds, one or more of each combination."""
    parts = [runs_of(rows, values, 1 + 100 * n) for n, values in enumerate(columns)]
    return judge_factorial(pd.concat(parts), factors_of(names, rows), PLAN, paired=False)


def paired_runs(rows: list[tuple[int, ...]], values: np.ndarray) -> pd.DataFrame:
    """Runs of shape (seeds, arms); every seed has all arms."""
    parts = [runs_of(rows, own.tolist()).assign(seed=n) for n, own in enumerate(values, 1)]
    return pd.concat(parts, ignore_index=True)


def sizes(result: FactorialResult) -> dict[str, float | None]:
    return {each.name: each.effect for each in result.effects}


def test_the_pilot_plant_has_the_effects_and_the_standard_error_of_the_book() -> None:
    found = unpaired("TCK", standard(3), *PILOT)
    assert found.mode == "pooled"
    assert found.residual_df == 8
    expected = {"T": 23, "C": -5, "K": 1.5, "T × C": 1.5, "T × K": 10, "C × K": 0}
    assert sizes(found) == pytest.approx(expected, abs=1e-12)
    assert found.effects[0].standard_error == pytest.approx(1.4142, abs=1e-4)
    assert [each.verdict for each in found.effects[:3]] == ["better", "worse", "undecided"]


def test_montgomerys_filtration_rate_is_reproduced_with_its_large_effects() -> None:
    found = unpaired("ABCD", standard(4), FILTRATION)
    assert found.mode == "Lenth"
    expected = {
        "A": 21.625,
        "B": 3.125,
        "C": 9.875,
        "D": 14.625,
        "A × B": 0.125,
        "A × C": -18.125,
        "A × D": 16.625,
        "B × C": 2.375,
        "B × D": -0.375,
        "C × D": -1.125,
    }
    assert sizes(found) == pytest.approx(expected, rel=1e-12)
    shown = [each.name for each in found.effects if each.verdict in ("better", "worse")]
    assert shown == ["A", "C", "D", "A × C", "A × D"]
    assert found.lenth is not None
    assert found.lenth.pse == pytest.approx(2.625)
    assert len(found.points) == 15
    assert found.points[-1].name == "A"


def test_the_half_fraction_of_the_filtration_rate_names_its_aliases() -> None:
    rows = [row for row in standard(4) if sum(row) % 2 == 0]
    found = unpaired("ABCD", rows, [FILTRATION[standard(4).index(row)] for row in rows])
    expected = {"A": 19.0, "B": 1.5, "C": 14.0, "D": 16.5, "A × B": -1, "A × C": -18.5, "A × D": 19}
    assert sizes(found) == pytest.approx(expected)
    assert found.defining_relation == ["+ A × B × C × D"]
    aliases = {each.name: list(each.aliases) for each in found.effects}
    assert aliases["A"] == ["+ B × C × D"]
    assert aliases["A × C"] == ["+ B × D"]


def test_the_bicycle_of_box_hunter_and_hunter_is_reproduced_as_a_saturated_fraction() -> None:
    # Statistics for Experimenters (1978), table 12.5: a 2^(7-4), seconds to climb a hill.
    rows = [
        (a, b, c, *(int((x + y) % 2 == 0) for x, y in ((a, b), (a, c), (b, c))), (a + b + c) % 2)
        for a, b, c in standard(3)
    ]
    found = unpaired("ABCDEFG", rows, [69, 52, 60, 83, 71, 50, 59, 88])
    published = {"A": 3.5, "B": 12.0, "C": 1.0, "D": 22.5, "E": 0.5, "F": 1.0, "G": 2.5}
    assert sizes(found) == pytest.approx(published)
    assert list(found.effects[0].aliases)[:3] == ["+ B × D", "+ C × E", "+ F × G"]


def test_effects_and_errors_of_repeated_runs_are_those_of_statsmodels() -> None:
    generator = np.random.default_rng(3)
    rows = standard(3)
    values = [generator.normal(size=8).tolist() for _ in range(3)]
    found = unpaired("ABC", rows, *values)
    frame = pd.DataFrame(
        [[2 * level - 1 for level in row] for row in rows * 3], columns=list("ABC")
    )
    fitted = smf.ols("y ~ A * B * C", frame.assign(y=np.concatenate(values))).fit()
    for each in found.effects:
        name = each.name.replace(" × ", ":")
        assert each.effect == pytest.approx(2 * fitted.params[name])
        assert each.standard_error == pytest.approx(2 * fitted.bse[name])
        assert each.p == pytest.approx(fitted.pvalues[name])
        assert each.df == fitted.df_resid


def test_unequal_numbers_of_runs_are_fitted_as_statsmodels_does() -> None:
    generator = np.random.default_rng(5)
    rows = [*standard(2), (0, 0), (1, 0), (1, 0)]
    values = generator.normal(size=7).tolist()
    found = unpaired("AB", rows, values)
    frame = pd.DataFrame([[2 * level - 1 for level in row] for row in rows], columns=list("AB"))
    fitted = smf.ols("y ~ A * B", frame.assign(y=values)).fit()
    for each in found.effects:
        name = each.name.replace(" × ", ":")
        assert each.effect == pytest.approx(2 * fitted.params[name])
        assert each.p == pytest.approx(fitted.pvalues[name])


def test_levels_of_a_factor_are_compared_with_its_first_one_over_the_other_factors() -> None:
    rows = list(product((0, 1, 2), (0, 1)))
    factors = Factors(
        names=("A", "B"),
        labels=(("a1", "a2"), ("B",)),
        cells={"".join(map(str, row)): row for row in rows},
    )
    means = np.array([[1.0, 2.0], [4.0, 7.0], [5.0, 5.0]])
    runs = [runs_of(rows, (means.ravel() + shift).tolist(), n) for n, shift in ((1, 1), (50, -1))]
    found = sizes(judge_factorial(pd.concat(runs), factors, PLAN, paired=False))
    assert found["a1"] == pytest.approx(5.5 - 1.5)
    assert found["a2"] == pytest.approx(5.0 - 1.5)
    assert found["B"] == pytest.approx((1 + 3 + 0) / 3)
    assert found["a1 × B"] == pytest.approx((3 - 1) / 2)


def test_shared_seeds_cancel_all_that_the_runs_of_a_seed_have_in_common() -> None:
    rows, generator = standard(3), np.random.default_rng(7)
    noise = 0.01 * generator.normal(size=(4, 8))
    seeds = np.array([0.0, 3.0, -5.0, 40.0])[:, None]
    effect = np.array([0.5 * row[0] for row in rows])
    factors = factors_of("ABC", rows)
    calm = judge_factorial(paired_runs(rows, noise + effect), factors, PLAN, paired=True)
    wild = judge_factorial(paired_runs(rows, noise + effect + seeds), factors, PLAN, paired=True)
    assert calm.mode == "paired"
    assert sizes(wild) == pytest.approx(sizes(calm))
    assert [each.p for each in wild.effects] == pytest.approx([each.p for each in calm.effects])
    assert wild.effects[0].verdict == "better"


def test_the_paired_t_of_an_effect_is_that_of_its_contrasts_by_seed() -> None:
    rows = standard(2)
    values = np.random.default_rng(11).normal(size=(5, 4))
    found = judge_factorial(paired_runs(rows, values), factors_of("AB", rows), PLAN, paired=True)
    contrast = (values[:, 1] + values[:, 3] - values[:, 0] - values[:, 2]) / 2
    assert found.effects[0].effect == pytest.approx(contrast.mean())
    assert found.effects[0].p == pytest.approx(ttest_1samp(contrast, 0).pvalue)


def test_a_seed_without_some_runs_counts_as_long_as_it_tells_the_effects() -> None:
    rows = standard(4)
    values = np.random.default_rng(2).normal(size=(4, 16))
    runs = paired_runs(rows, values)
    gone = (runs["seed"] == 2) & (runs["arm"] == "1111")
    whole = runs.assign(status=np.where(gone, "diverged", "done"))
    found = judge_factorial(whole, factors_of("ABCD", rows), PLAN, paired=True)
    assert (found.n_seeds, found.seeds_left_out) == (4, 0)
    almost_empty = (runs["seed"] == 2) & runs["arm"].str.endswith("1")
    part = runs.assign(status=np.where(almost_empty, "failed", "done"))
    found = judge_factorial(part, factors_of("ABCD", rows), PLAN, paired=True)
    assert (found.n_seeds, found.seeds_left_out) == (3, 1)
    assert {each.n for each in found.effects} == {3}


def test_an_arm_that_always_diverges_is_left_out_and_the_rest_is_estimated() -> None:
    rows = standard(3)
    effect = np.array([2.0 * row[0] - row[1] + 0.5 * row[0] * row[2] for row in rows])
    values = effect + 1e-3 * np.random.default_rng(4).normal(size=(3, 8))
    runs = paired_runs(rows, values)
    runs = runs.assign(status=np.where(runs["arm"] == "111", "diverged", "done"))
    found = judge_factorial(runs, factors_of("ABC", rows), PLAN, paired=True)
    assert list(found.arms_left_out) == ["111"]
    assert sizes(found)["A"] == pytest.approx(2.25, abs=0.01)
    assert sizes(found)["A × C"] == pytest.approx(0.25, abs=0.01)


def test_a_plackett_burman_design_says_which_interactions_its_main_effects_contain() -> None:
    first = [1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0]
    rows = [tuple(first[(j - i) % 11] for j in range(11)) for i in range(11)] + [(0,) * 11]
    values = np.random.default_rng(1).normal(size=12).tolist()
    found = unpaired("ABCDEFGHJKL", rows, values)
    assert len(found.effects) == 11
    assert found.mode == "Lenth"
    assert {round(abs(share), 6) for _, _, share in found.partial} == {round(1 / 3, 6)}
    assert len(found.partial) == 11 * 45


def test_blocks_that_are_an_interaction_hide_it_and_change_no_other_effect() -> None:
    rows = standard(4)
    block = [sum(row) % 2 for row in rows]
    shifted = [value - 20 * of for value, of in zip(FILTRATION, block, strict=True)]
    runs = runs_of(rows, shifted).assign(seed=block)
    found = judge_factorial(runs, factors_of("ABCD", rows), PLAN, paired=True)
    assert found.mode == "Lenth"
    assert sizes(found)["A × C"] == -18.125
    assert list(found.confounded_with_blocks) == ["A × B × C × D"]


def test_factors_that_always_change_together_are_one_effect_with_an_alias() -> None:
    rows = [(0, 0), (1, 1), (0, 0), (1, 1)]
    found = unpaired("AB", rows, [1.0, 3.0, 1.5, 3.5])
    assert [(each.name, list(each.aliases)) for each in found.effects] == [("A", ["+ B"])]


@pytest.mark.parametrize(("m", "single", "all_"), [(7, 2.297, 4.867), (15, 2.156, 4.240)])
def test_lenths_critical_values_are_the_published_ones(m: int, single: float, all_: float) -> None:
    # Ye and Hamada (2000), and Wu and Hamada, Experiments, appendix H.
    null = null_of(m)
    assert null.margin(0.05) == pytest.approx(single, rel=0.01)
    assert null.simultaneous_margin(0.05) == pytest.approx(all_, rel=0.02)


def test_the_pseudo_standard_error_of_no_effects_but_zeros_is_zero() -> None:
    assert pseudo_standard_error([0.0, 0.0, 0.0, 5.0]) == 0.0
    found = unpaired("AB", standard(2), [1.0, 1.0, 2.0, 2.0])
    assert found.mode == "none"
    assert {each.verdict for each in found.effects} == {"undecided"}


def test_pairs_are_compared_with_the_sum_of_both_alone() -> None:
    rows = [row for row in standard(3) if sum(row) <= 2]
    alone = {0: -1.0, 1: 0.5, 2: 0.25}
    values = [
        sum(alone[f] for f in range(3) if row[f]) + (0.125 if row[:2] == (1, 1) else 0.0)
        for row in rows
    ]
    noise = 1e-3 * np.random.default_rng(6).normal(size=(3, len(rows)))
    factors = factors_of("ABC", rows)
    found = judge_contrasts(paired_runs(rows, noise + values), beyond_the_sum(factors), PLAN)
    assert sizes(found) == pytest.approx({"A × B": 0.125, "A × C": 0, "B × C": 0}, abs=0.01)


def test_leave_one_out_compares_all_with_all_but_one() -> None:
    rows = [(0, 0, 0), (1, 1, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    values = [0.0, 10.0, 7.0, 9.0, 10.0]
    noise = 1e-3 * np.random.default_rng(6).normal(size=(3, 5))
    factors = factors_of("ABC", rows)
    found = judge_contrasts(paired_runs(rows, noise + values), beside_all_others(factors), PLAN)
    assert sizes(found) == pytest.approx({"A": 3, "B": 1, "C": 0}, abs=0.01)


def test_every_effect_of_a_full_factorial_is_the_difference_of_two_halves() -> None:
    rows = standard(4)
    values = np.random.default_rng(8).normal(size=16)
    found = sizes(unpaired("ABCD", rows, values.tolist()))
    for size in (1, 2):
        for chosen in combinations(range(4), size):
            signs = np.array([prod(2 * row[f] - 1 for f in chosen) for row in rows])
            name = " × ".join("ABCD"[f] for f in chosen)
            assert found[name] == pytest.approx(values[signs > 0].mean() - values[signs < 0].mean())
