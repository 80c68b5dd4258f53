"""The gates of statistics.md, section 8, in short: error rate, power and coverage, simulated.

Thousands of studies at once go through the functions that judge one. Limits are the gates' own,
widened by two and a half standard errors of this many repetitions.
"""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from analysis.moderation import fit_prior, moderate
from analysis.multiplicity import adjust
from analysis.verdict import Plan, judge

Floats = NDArray[np.float64]

STUDIES = 8000
ALPHA = 0.05
WIDENED = 0.06 + 2.5 * (0.06 * 0.94 / STUDIES) ** 0.5
BASELINE_SD = 0.012
SDS = np.array([0.0025, 0.0063, 0.0030, 0.0091, 0.0003, 0.0006, 0.0188, 0.0075])
EFFECTS = np.array([-0.0108, -0.031, 0.0, -0.0465, -0.0041, 0.0123, 0.415, -0.1336])
SEEDS = (3, 5, 7)
ARMS = (2, 3, 4, 6, 8, 16)


def _t4(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return generator.standard_t(4, shape) / np.sqrt(2)  # variance 1


def _normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return generator.standard_normal(shape)


def _equal(correlation: float, draw=_normal):  # noqa: ANN001, ANN202
    """Arms as noisy as the baseline that they are all compared with."""

    def differences(generator: np.random.Generator, seeds: int, arms: int) -> Floats:
        own = draw(generator, (STUDIES, seeds, arms))
        baseline = draw(generator, (STUDIES, seeds, 1))
        return BASELINE_SD * np.sqrt(1 - correlation) * (own - baseline)

    return differences


def _unequal(draw=_normal):  # noqa: ANN001, ANN202
    def differences(generator: np.random.Generator, seeds: int, arms: int) -> Floats:
        return np.resize(SDS, arms) * draw(generator, (STUDIES, seeds, arms))

    return differences


SCENARIOS = {
    "equal, correlation 0": _equal(0.0),
    "equal, correlation 0.5": _equal(0.5),
    "equal, correlation 0.8": _equal(0.8),
    "equal, t(4)": _equal(0.5, _t4),
    "unequal": _unequal(),
    "unequal, t(4)": _unequal(_t4),
}
CELLS = [(name, seeds, arms) for name in SCENARIOS for seeds in SEEDS for arms in ARMS]


def _estimates(differences: Floats) -> tuple[Floats, Floats, Floats]:
    """Effect, standard error and df of every arm of every study; differences (study, seed, arm)."""
    seeds = differences.shape[1]
    variances, df = differences.var(axis=1, ddof=1), seeds - 1
    moderated, total_df = moderate(variances, df, fit_prior(variances, df))
    return differences.mean(axis=1), np.sqrt(moderated / seeds), total_df


def _adjusted(differences: Floats) -> Floats:
    effect, error, df = _estimates(differences)
    return adjust(2 * stdtr(df, -np.abs(effect) / error), "holm")


@pytest.mark.parametrize(("name", "seeds", "arms"), CELLS)
def test_the_familywise_error_stays_at_six_in_a_hundred(name: str, seeds: int, arms: int) -> None:
    differences = SCENARIOS[name](np.random.default_rng([seeds, arms]), seeds, arms)
    assert (_adjusted(differences) < ALPHA).any(axis=1).mean() <= WIDENED


def test_three_seeds_see_every_real_effect_of_the_unequal_study_with_power_080() -> None:
    noise = SCENARIOS["unequal"](np.random.default_rng(2), 3, 8)
    power = (_adjusted(noise + EFFECTS) < ALPHA).mean(axis=0)
    assert power[EFFECTS != 0].min() >= 0.80
    assert power[EFFECTS == 0].item() <= WIDENED


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("arms", [3, 4, 8, 16])
@pytest.mark.parametrize("seeds", SEEDS)
def test_intervals_cover_the_truth_as_often_as_they_say(name: str, seeds: int, arms: int) -> None:
    differences = SCENARIOS[name](np.random.default_rng([seeds, arms]), seeds, arms)
    effect, error, df = _estimates(differences)
    coverage = (np.abs(effect) <= -stdtrit(df, ALPHA / 2) * error).mean()
    assert 0.94 - 0.006 <= coverage <= 0.97 + 0.006


def test_the_simulated_studies_are_judged_as_a_real_one_is() -> None:
    generator = np.random.default_rng(7)
    baseline = 3.5 + BASELINE_SD * generator.standard_normal(3)
    losses = baseline[:, None] + EFFECTS + SDS * generator.standard_normal((3, 8))
    names = tuple(f"arm-{i}" for i in range(8))
    columns = {"baseline": baseline, **dict(zip(names, losses.T, strict=True))}
    runs = pd.DataFrame(columns).rename_axis("seed").reset_index().melt("seed", var_name="arm")
    runs = runs.rename(columns={"value": "loss"}).assign(status="done")
    judgement = judge(runs, Plan(arms=names, smallest_effect=0.0))
    adjusted = _adjusted((losses - baseline[:, None])[None])[0]
    assert [row.p_adjusted for row in judgement.arms[1:]] == pytest.approx(adjusted.tolist())
