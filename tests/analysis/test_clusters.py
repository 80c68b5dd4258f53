"""Runs that share random streams count once per shared seed."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr

from analysis.clusters import Clusters, find_clusters
from analysis.dunnett import dunnett
from analysis.noise import noise
from analysis.rules import Plan
from analysis.variance.shared import noise_of_runs
from analysis.verdict import Judgement, judge

CROSSED = list(product(range(4), range(4)))
NESTED = [(i, 10 * i + j) for i, j in CROSSED]
LATIN = [(i, j, i ^ j) for i, j in CROSSED]
STREAMS = ("init_seed", "order_seed", "dropout_seed")
STUDIES = 1500
LIMIT = 0.06 + 2.5 * (0.06 * 0.94 / STUDIES) ** 0.5


def clusters(seeds: list[tuple[int, ...]]) -> Clusters:
    found = find_clusters(STREAMS[: len(seeds[0])], seeds)
    assert found is not None
    return found


def draw(seeds: list[tuple[int, ...]], parts: tuple[float, ...], shape: tuple[int, ...]):  # noqa: ANN201
    """Losses, shape (*shape, runs): a variance for each stream, and for the rest."""
    generator = np.random.default_rng([len(seeds), *(int(100 * part) for part in parts)])
    table, rest = np.array(seeds), generator.standard_normal((*shape, len(seeds)))
    losses = parts[-1] ** 0.5 * rest
    for column, part in zip(table.T, parts[:-1], strict=False):
        levels, codes = np.unique(column, return_inverse=True)
        losses += part**0.5 * generator.standard_normal((*shape, levels.size))[..., codes]
    return losses


def study(seeds: list[tuple[int, ...]], losses: dict[str, np.ndarray]) -> pd.DataFrame:
    columns = list(STREAMS[: len(seeds[0])])
    frames = [pd.DataFrame(seeds, columns=columns).assign(arm=a, loss=x) for a, x in losses.items()]
    return pd.concat(frames).assign(status="done")


def judged(seeds: list[tuple[int, ...]], losses: dict[str, np.ndarray]) -> Judgement:
    plan = Plan(arms=tuple(losses)[1:], smallest_effect=0.0)
    return judge(study(seeds, losses), plan)


@pytest.mark.parametrize("seeds", [CROSSED, NESTED, LATIN])
@pytest.mark.parametrize("parts", [(0.9, 0.0, 0.1), (0.5, 0.0, 0.5), (0.45, 0.45, 0.1)])
@pytest.mark.parametrize("arms", [1, 8])
def test_null_studies_with_shared_seeds_keep_the_error_rate_paired_and_unpaired(
    seeds: list[tuple[int, ...]], parts: tuple[float, ...], arms: int
) -> None:
    found = clusters(seeds)
    x, base = np.split(draw(seeds, parts, (STUDIES, arms + 1)), [arms], axis=1)
    d, n = found.independent(x - base), found.count
    p = 2 * stdtr(n - 1, -abs(d.mean(-1)) / np.sqrt(d.var(-1, ddof=1) / n))
    assert (p.min(axis=1) < 0.05 / arms).mean() <= LIMIT
    own, other = (found.independent(each).var(-1, ddof=1) / n for each in (x, base))
    df = (own + other) ** 2 / (own**2 + other**2) * (n - 1)
    effect = found.independent(x).mean(-1) - found.independent(base).mean(-1)
    p = 2 * stdtr(df, -abs(effect) / np.sqrt(own + other))
    assert (p.min(axis=1) < 0.05 / arms).mean() <= LIMIT


def test_the_same_studies_judged_as_sixteen_seeds_are_wrong_in_a_third() -> None:
    x = draw(CROSSED, (0.9, 0.0, 0.1), (STUDIES, 2))
    d = x[:, 0] - x[:, 1]
    p = 2 * stdtr(15, -abs(d.mean(-1)) / np.sqrt(d.var(-1, ddof=1) / 16))
    assert 0.30 < (p < 0.05).mean() < 0.45


@pytest.mark.parametrize(
    "seeds", [CROSSED, NESTED, LATIN, [s for s in CROSSED if s not in ((0, 1), (3, 2))]]
)
@pytest.mark.parametrize("parts", [(0.9, 0.0, 0.1), (0.3, 0.3, 0.4), (0.0, 0.0, 1.0)])
def test_the_interval_of_the_noise_holds_its_level_where_runs_share_seeds(
    seeds: list[tuple[int, ...]], parts: tuple[float, ...]
) -> None:
    found, losses = clusters(seeds), draw(seeds, parts, (400,))
    intervals = [noise_of_runs(each, found) for each in losses]
    hits = [each.ci_low <= 1 <= each.ci_high for each in intervals]
    assert np.mean(hits) >= 0.93 - 2.5 * (0.07 * 0.93 / 400) ** 0.5
    assert np.mean([each.sd**2 for each in intervals]) == pytest.approx(1, abs=0.15)


def test_the_interval_of_independent_runs_misses_the_noise_of_shared_ones_in_a_third() -> None:
    losses = draw(CROSSED, (0.9, 0.0, 0.1), (400,))
    assert np.mean([noise(x).ci_low <= 1 <= noise(x).ci_high for x in losses]) < 0.72


def test_a_balanced_nested_layout_has_the_sd_of_its_anova() -> None:
    # Rails of nlme: variances 615.311 and 16.167 (sds 24.80547 and 4.020779).
    rails = [55, 53, 54, 26, 37, 32, 78, 91, 85, 92, 100, 96, 49, 51, 50, 80, 85, 83]
    found = noise_of_runs(rails, clusters([(i // 3, i) for i in range(18)]))
    assert found.sd**2 == pytest.approx(24.80547**2 + 4.020779**2, abs=5e-4)
    assert (found.n, found.n_independent, found.mean) == (18, 6, 66.5)


def test_simultaneous_intervals_count_shared_seeds_once_too() -> None:
    x = draw(NESTED, (0.9, 0.0, 0.1), (3,))
    arms = dict(zip(("baseline", "a", "b"), x, strict=True))
    means = {arm: each.reshape(4, 4).mean(axis=1) for arm, each in arms.items()}
    found = dunnett(study(NESTED, arms))["a"]
    plain = dunnett(study([(i, i) for i in range(4)], means))["a"]
    assert (found.p, found.ci_low) == pytest.approx((plain.p, plain.ci_low))


@pytest.mark.parametrize("paired", [True, False])
def test_sixteen_runs_of_four_inits_are_four_seeds_in_the_verdict(paired: bool) -> None:
    x = draw(CROSSED, (0.9, 0.0, 0.1), (2,))
    other = CROSSED if paired else [(i + 4, j + 4) for i, j in CROSSED]
    runs = pd.concat([study(CROSSED, {"baseline": x[0]}), study(other, {"arm": x[1] + 0.1})])
    found = judge(runs, Plan(arms=("arm",), smallest_effect=0.0))
    row = found["arm"]
    assert (row.n_done, row.n_independent) == (16, 4)
    assert found.shared_streams == ("init_seed", "order_seed")
    assert row.mean == pytest.approx(x[1].mean() + 0.1)
    assert row.effect == pytest.approx(x[1].mean() + 0.1 - x[0].mean())
    assert row.df is not None
    assert row.df <= (3 if paired else 6)
    assert row.n_shared == (4 if paired else 0)
    assert found.noise is not None
    assert (found.noise.n, found.noise.n_independent) == (16, 4)


def test_orders_inside_an_init_are_averaged_and_nothing_else_is_done() -> None:
    x = draw(NESTED, (0.9, 0.0, 0.1), (2,))
    nested = judged(NESTED, {"baseline": x[0], "arm": x[1]})["arm"]
    means = x.reshape(2, 4, 4).mean(axis=2)
    plain = judged([(i, i) for i in range(4)], {"baseline": means[0], "arm": means[1]})["arm"]
    assert (nested.p, nested.ci_low) == pytest.approx((plain.p, plain.ci_low))


def test_a_stream_that_is_held_in_the_whole_study_is_no_cluster() -> None:
    seeds = [(i, 42) for i in range(6)]
    x = draw(seeds, (1.0, 0.0, 0.1), (2,))
    found = judged(seeds, {"baseline": x[0], "arm": x[1]})
    assert (found.shared_streams, found["arm"].n_shared) == ((), 6)


def test_runs_without_a_partner_do_not_undo_the_pairing_of_the_others() -> None:
    x = draw(CROSSED, (0.9, 0.0, 0.1), (1,))[0]
    runs = study(CROSSED, {"baseline": x, "arm": x - 0.5})
    lost = (runs["arm"] == "arm") & (runs["init_seed"] == 2) & (runs["order_seed"] > 0)
    row = judge(runs[~lost], Plan(arms=("arm",), smallest_effect=0.0))["arm"]
    assert (row.n_done, row.n_shared) == (13, 4)
    assert row.effect == pytest.approx(-0.5)


def test_bit_identical_arms_stay_identical() -> None:
    x = draw(CROSSED, (0.9, 0.0, 0.1), (1,))[0]
    row = judged(CROSSED, {"baseline": x, "arm": x})["arm"]
    assert (row.verdict, row.effect) == ("identical", 0.0)


def test_a_single_run_is_compared_with_the_spread_of_runs_and_not_of_means_of_runs() -> None:
    x = draw(CROSSED, (0.1, 0.0, 0.9), (1,))[0]
    runs = pd.concat([study(CROSSED, {"baseline": x}), study([(0, 0)], {"arm": np.array([2.0])})])
    found = judge(runs, Plan(arms=("arm",), smallest_effect=0.0))
    row, spread = found["arm"], found.noise
    assert (row.method, row.df) == ("prediction t", 3)
    assert spread is not None
    assert row.standard_error == pytest.approx(spread.sd * 1.25**0.5)


def test_seeds_that_a_few_runs_share_by_chance_do_not_change_the_published_noise(
    reference: pd.DataFrame,
) -> None:
    arms = tuple(arm for arm in reference["arm"].unique() if arm != "baseline")
    found = judge(reference, Plan(arms=arms, smallest_effect=0.0))
    known = found.noise
    assert known is not None
    assert (round(known.sd, 5), round(known.ci_low, 5)) == (0.01234, 0.00795)
    assert known.n_independent == 4
    assert known.shared is not None
    assert known.shared.ci_high > known.ci_high


def test_large_constants_cost_no_digits() -> None:
    x = draw(CROSSED, (0.45, 0.45, 0.1), (1,))[0]
    found = clusters(CROSSED)
    expected = found.independent(x) * 2.0**-20
    shifted = found.independent(x * 2.0**-20 + 2.0**20) - 2.0**20
    assert shifted == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seeds", [CROSSED, NESTED, LATIN])
def test_the_verdict_tests_the_independent_values_that_the_simulations_test(
    seeds: list[tuple[int, ...]],
) -> None:
    x, found = draw(seeds, (0.6, 0.3, 0.1), (2,)), clusters(seeds)
    d = found.independent(x[1] - x[0])
    t = d.mean() / np.sqrt(d.var(ddof=1) / d.size)
    row = judged(seeds, {"baseline": x[0], "arm": x[1]})["arm"]
    assert row.p == pytest.approx(2 * stdtr(d.size - 1, -abs(t)))
