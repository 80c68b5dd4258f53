"""Variance components, against published fits and the layouts that drew them."""

import math
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

from analysis.variance.anova import RESIDUAL, Layout
from analysis.variance.component import Components
from analysis.variance.estimate import variance_components
from analysis.variance.reml import fit_likelihood
from benchmarks.published import DYESTUFF

# lme4, Dyestuff2: Box and Tiao (1973), 5.1.4.
DYESTUFF_2 = [
    *(7.298, 3.846, 2.434, 9.566, 7.990, 5.220, 6.556, 0.608, 11.788, -0.892),
    *(0.110, 10.386, 13.434, 5.510, 8.166, 2.212, 4.852, 7.092, 9.288, 4.980),
    *(0.282, 9.014, 4.458, 9.446, 7.198, 1.722, 4.782, 8.106, 0.758, 3.758),
]
# lme4, Pastes: Davies and Goldsmith (1972), table 6.5; ten batches of three casks, two assays.
PASTES = [
    *(62.8, 62.6, 60.1, 62.3, 62.7, 63.1, 60.0, 61.4, 57.5, 56.9, 61.1, 58.9),
    *(58.7, 57.5, 63.9, 63.1, 65.4, 63.7, 57.1, 56.4, 56.9, 58.6, 64.7, 64.5),
    *(55.1, 55.1, 54.7, 54.2, 58.8, 57.5, 63.4, 64.9, 59.3, 58.1, 60.5, 60.0),
    *(62.5, 62.6, 61.0, 58.7, 56.9, 57.7, 59.2, 59.4, 65.2, 66.0, 64.8, 64.1),
    *(54.8, 54.8, 64.0, 64.0, 57.7, 56.8, 58.3, 59.3, 59.2, 59.2, 58.9, 56.6),
]
# nlme, Rail: Devore (2000), example 10.10; and ergoStool: nine subjects on each of four stools.
RAIL = [55, 53, 54, 26, 37, 32, 78, 91, 85, 92, 100, 96, 49, 51, 50, 80, 85, 83]
STOOL = [
    *(12, 15, 12, 10, 10, 14, 13, 12, 7, 14, 13, 9, 7, 11, 10, 9, 8, 11, 8, 7, 9, 11, 11, 10),
    *(8, 12, 12, 11, 7, 11, 8, 7, 9, 13, 10, 8),
]
# nlme, Oxide: Littell et al. (1996), data set 4.4: eight lots of three wafers, three sites on each.
OXIDE = [
    *(2006, 1999, 2007, 1980, 1988, 1982, 2000, 1998, 2007, 1991, 1990, 1988, 1987, 1989, 1988),
    *(1985, 1983, 1989, 2000, 2004, 2004, 2001, 1996, 2004, 1999, 2000, 2002, 1997, 1994, 1996),
    *(1996, 2000, 2002, 1987, 1990, 1995, 2013, 2004, 2009, 2023, 2018, 2010, 2020, 2023, 2015),
    *(2032, 2036, 2030, 2018, 2022, 2026, 2009, 2010, 2011, 1984, 1993, 1993, 1992, 1992, 1990),
    *(1996, 1993, 1987, 1996, 1989, 1996, 1997, 1993, 1996, 1990, 1989, 1992),
]
# lme4, Penicillin: Davies and Goldsmith (1972), table 6.6; twenty-four plates, six samples on each.
PENICILLIN = """
27 23 26 23 23 21 27 23 26 23 23 21 25 21 25 24 24 20 26 23 25 23 23 20 25 22 26 22 23 20 24 22 25 23
22 19 24 20 23 21 22 19 26 22 26 24 24 21 24 21 24 22 22 20 24 21 24 23 22 19 26 23 26 24 24 21 25 22
26 24 24 20 26 24 26 24 25 22 26 23 26 23 23 20 26 23 25 24 24 22 25 22 25 23 23 20 25 21 24 23 23 20
25 22 24 23 23 19 24 21 23 21 21 19 26 23 26 24 24 21 25 21 24 22 22 18 25 22 25 22 22 20 24 21 24 22
24 19 24 21 24 22 21 18"""
# Milliken and Johnson, Analysis of Messy Data, volume 1: insect damage to four varieties of wheat.
WHEAT = {
    "A": [3.90, 4.05, 4.25],
    "B": [3.60, 4.20, 4.05, 3.85],
    "C": [4.15, 4.60, 4.15, 4.40],
    "D": [3.35, 3.80],
}
# Montgomery, Design and Analysis of Experiments, the looms of the random effects example.
LOOMS = [98, 97, 99, 96, 91, 90, 93, 92, 96, 95, 97, 95, 95, 96, 99, 98]


def layout(losses: list[float], **levels: int) -> pd.DataFrame:
    """Losses in the order of their factors, the last one running fastest; repeats run faster."""
    cells = list(product(*map(range, levels.values())))
    repeats = len(losses) // len(cells)
    rows = [cell for cell in cells for _ in range(repeats)]
    return pd.DataFrame(rows, columns=list(levels)).assign(loss=losses)


def variances(components: Components) -> list[float]:
    return [part.variance for part in components.parts]


def sds(components: Components) -> list[float]:
    return [part.sd for part in components.parts]


def test_the_dyestuff_is_that_of_lme4() -> None:
    found = variance_components(layout(DYESTUFF, batch=6), ["batch"])
    assert variances(found) == pytest.approx([1764.05, 2451.25])
    assert found[RESIDUAL].sd == pytest.approx(49.510, abs=5e-4)
    assert found.mean == 1527.5


def test_a_negative_component_keeps_its_estimate_and_has_an_sd_of_zero() -> None:
    found = variance_components(layout(DYESTUFF_2, batch=6), ["batch"])
    # (11.178 / 5 - 14.946) / 5 by the table of Box and Tiao: mean squares 8.336 and 14.946.
    assert variances(found) == pytest.approx([(8.336 - 14.946) / 5, 14.946], abs=5e-4)
    assert found["batch"].sd == found["batch"].ci_low == found.share("batch") == 0
    assert found["batch"].ci_high > 0


def test_the_nested_pastes_are_those_of_lme4() -> None:
    found = variance_components(layout(PASTES, batch=10, cask=3), ["batch", "batch:cask"])
    assert variances(found) == pytest.approx([1.6573, 8.4337, 0.6780], abs=5e-5)
    assert sds(found) == pytest.approx([1.2874, 2.9041, 0.8234], abs=5e-5)


def test_the_rails_and_the_crossed_stools_are_those_of_nlme() -> None:
    rail = variance_components(layout(RAIL, rail=6), ["rail"])
    assert sds(rail) == pytest.approx([24.80547, 4.020779], abs=5e-6)
    stool = variance_components(layout(STOOL, subject=9, type=4), ["subject", "type"])
    assert stool["subject"].sd == pytest.approx(1.332465, abs=5e-7)
    assert stool[RESIDUAL].sd == pytest.approx(1.100295, abs=5e-7)


def test_the_nested_oxide_layers_are_those_of_nlme() -> None:
    found = variance_components(layout(OXIDE, lot=8, wafer=3), ["lot", "lot:wafer"])
    assert sds(found) == pytest.approx([11.39768, 5.988802, 3.545341], abs=5e-6)
    assert found.mean == pytest.approx(2000.153, abs=5e-4)


def test_the_crossed_penicillin_plates_are_those_of_lme4() -> None:
    frame = layout([float(word) for word in PENICILLIN.split()], plate=24, sample=6)
    found = variance_components(frame, ["plate", "sample"])
    assert variances(found) == pytest.approx([0.7169, 3.7309, 0.3024], abs=5e-5)
    assert sds(found) == pytest.approx([0.8467, 1.9316, 0.5499], abs=5e-5)


def test_unequal_groups_of_wheat_have_the_published_reml_estimates() -> None:
    rows = [(variety, damage) for variety, values in WHEAT.items() for damage in values]
    found = variance_components(pd.DataFrame(rows, columns=["variety", "loss"]), ["variety"])
    assert found.method == "REML"
    assert variances(found) == pytest.approx([0.073155, 0.057003], abs=5e-7)


def test_the_exact_interval_of_the_ratio_is_that_of_the_looms() -> None:
    found = variance_components(layout(LOOMS, loom=4), ["loom"])
    assert variances(found) == pytest.approx([6.96, 1.90], abs=5e-3)
    assert found["loom"].ratio_low == pytest.approx(0.625, abs=2e-3)
    assert found["loom"].ratio_high == pytest.approx(54.883, rel=0.03)  # from an F of two digits
    assert found.share("loom") == pytest.approx(0.79, abs=5e-3)


def test_reml_gives_the_published_interval_of_the_dyestuffs_residual() -> None:
    # lme4, confint(fm01): .sigma 38.22998 to 67.65770.
    found = fit_likelihood(Layout.read(layout(DYESTUFF, batch=6), ["batch"]), 0.05)
    assert variances(found) == pytest.approx([1764.05, 2451.25], rel=1e-6)
    ends = [math.sqrt(end) for end in (found[RESIDUAL].ci_low, found[RESIDUAL].ci_high)]
    assert ends == pytest.approx([38.22998, 67.65770], abs=2e-3)


def test_reml_stops_at_zero_as_lme4_does() -> None:
    # lme4, lmer(Yield ~ 1 + (1 | Batch), Dyestuff2): 0 and 13.81.
    found = fit_likelihood(Layout.read(layout(DYESTUFF_2, batch=6), ["batch"]), 0.05)
    assert variances(found) == pytest.approx([0.0, 13.81], abs=5e-3)
    assert found["batch"].ci_low == 0 < found["batch"].ci_high < math.inf


def by_statsmodels(frame: pd.DataFrame, terms: list[str]) -> list[float]:
    read = Layout.read(frame, terms)
    matrices = [np.eye(codes.max() + 1)[codes] for codes in read.cells.values()]
    names = [[[str(i) for i in range(matrix.shape[1])]] for matrix in matrices]
    spec = VCSpec(list(read.cells), names, [[matrix] for matrix in matrices])
    one, spread = np.ones(len(frame)), read.centred.std()
    model = MixedLM(read.centred / spread, one, one, exog_vc=spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its optimiser is not content with what it found
        fit = model.fit(reml=True, method="bfgs", gtol=1e-8)
    return [float(v * spread**2) for v in (*fit.vcomp, fit.scale)]


@pytest.mark.parametrize("lost", [[0], [3, 17], [5, 6, 40]])
def test_reml_agrees_with_statsmodels_where_nothing_is_zero(lost: list[int]) -> None:
    frame, terms = layout(PASTES, batch=10, cask=3).drop(index=lost), ["batch", "batch:cask"]
    found = variance_components(frame, terms)
    assert found.method == "REML"
    assert variances(found) == pytest.approx(by_statsmodels(frame, terms), rel=2e-4)


def crossed(seed: int, sd: tuple[float, float, float], levels: tuple[int, int]) -> pd.DataFrame:
    draw = np.random.default_rng(seed).normal
    init, order = (draw(0, s, n) for s, n in zip(sd[:2], levels, strict=True))
    losses = 3.5 + init[:, None] + order[None, :] + draw(0, sd[2], levels)
    return layout(losses.ravel().tolist(), init=levels[0], order=levels[1])


@pytest.mark.parametrize("seed", range(5))
def test_reml_is_the_method_of_moments_where_a_layout_is_balanced(seed: int) -> None:
    frame = crossed(seed, (0.03, 0.02, 0.01), (5, 4))
    moments = variance_components(frame, ["init", "order"])
    assert min(variances(moments)) > 0
    reml = fit_likelihood(Layout.read(frame, ["init", "order"]), 0.05)
    assert variances(reml) == pytest.approx(variances(moments), rel=1e-4)
    assert reml.mean == pytest.approx(moments.mean)


@pytest.mark.nightly
def test_intervals_of_variances_have_their_coverage() -> None:
    sd = (0.01, 0.0, 0.01)
    covered = np.zeros(3)
    for seed in range(400):
        parts = variance_components(crossed(seed, sd, (5, 4)), ["init", "order"]).parts
        covered += [part.ci_low <= s**2 <= part.ci_high for part, s in zip(parts, sd, strict=True)]
    assert (covered / 400 >= 0.93).all()


def test_a_latin_square_is_balanced_in_three_factors() -> None:
    cells = [(i, o, (i + o) % 4) for i in range(4) for o in range(4)]
    frame = pd.DataFrame(cells, columns=["init", "order", "dropout"])
    noise = np.random.default_rng(1).normal(0, 1e-3, 16)
    found = variance_components(
        frame.assign(loss=3.5 + 0.01 * frame["dropout"] + noise), ["init", "order", "dropout"]
    )
    assert found.method == "moments"
    assert found["dropout"].variance == pytest.approx(0.01**2 * 5 / 3, rel=0.2)
    assert found["dropout"].variance > 10 * max(found["init"].variance, found["order"].variance)


def test_the_unit_and_the_level_of_the_losses_do_not_matter() -> None:
    frame, terms = crossed(1, (0.03, 0.02, 0.01), (5, 4)), ["init", "order"]
    far = frame.assign(loss=1e6 + frame["loss"].round(6) * 1e-3)
    near = frame.assign(loss=frame["loss"].round(6) * 1e-3)
    for drop in ([], [2]):
        found = variances(variance_components(far.drop(index=drop), terms))
        expected = variances(variance_components(near.drop(index=drop), terms))
        assert found == pytest.approx(expected, rel=1e-6)


def test_a_share_is_given_from_four_levels_on() -> None:
    few = variance_components(crossed(0, (0.03, 0.02, 0.01), (5, 3)), ["init", "order"])
    assert few.share("init") is few.share("order") is few.share(RESIDUAL) is None
    enough = variance_components(crossed(0, (0.03, 0.02, 0.01), (5, 4)), ["init", "order"])
    shares = [enough.share(part.term) or 0.0 for part in enough.parts]
    assert sum(shares) == pytest.approx(1.0)


def test_equal_values_have_zero_components_when_balanced_and_are_refused_by_reml() -> None:
    frame = layout([3.1] * 20, init=5, order=4)
    found = variance_components(frame, ["init", "order"])
    assert variances(found) == [0, 0, 0]
    assert (found["init"].f, found["init"].ci_high, found.share("init")) == (None, 0, None)
    with pytest.raises(ValueError, match="all values are equal"):
        variance_components(frame.iloc[1:], ["init", "order"])
    with pytest.raises(KeyError, match="no term 'seed'"):
        found["seed"]
