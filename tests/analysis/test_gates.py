"""The gates of statistics.md, section 8, in short: error rate, power and coverage, simulated.

`benchmarks/statistics.py` prints them all. Limits are the gates' own, widened by two and a half
standard errors of this many repetitions.
"""

import numpy as np
import pandas as pd
import pytest

from analysis.verdict import Judgement, Plan, judge
from benchmarks.simulation import (
    ALPHA,
    ARMS,
    COVERAGE,
    EFFECTS,
    FAMILYWISE,
    POWER,
    SCENARIOS,
    SEEDS,
    Decisions,
    Floats,
    null_studies,
    power,
)

STUDIES = 8000
WIDENED = FAMILYWISE + 2.5 * (FAMILYWISE * (1 - FAMILYWISE) / STUDIES) ** 0.5
CELLS = [(name, seeds, arms) for name in SCENARIOS for seeds in SEEDS for arms in ARMS]


@pytest.mark.parametrize(("name", "seeds", "arms"), CELLS)
def test_the_familywise_error_is_at_most_six_percent_and_intervals_have_their_coverage(
    name: str, seeds: int, arms: int
) -> None:
    found = null_studies(name, seeds, arms, STUDIES)
    assert found.familywise <= WIDENED
    # The arms of a study share a baseline: its intervals hold or miss together.
    widening = 2.5 * (0.05 * 0.95 / STUDIES) ** 0.5
    assert COVERAGE[0] - widening <= found.coverage <= COVERAGE[1] + widening


def test_three_seeds_detect_every_real_effect_of_the_unequal_study_with_80_percent_power() -> None:
    seen = power(STUDIES).mean(axis=0)
    assert seen[EFFECTS != 0].min() >= POWER
    assert seen[EFFECTS == 0].item() <= WIDENED


def judged(baseline: Floats, arms: Floats) -> Judgement:
    """One simulated study in the form of `sweep report`: losses of shape (seeds, 1), (seeds, arms)."""
    names = [f"arm-{i}" for i in range(arms.shape[1])]
    table = pd.DataFrame(np.hstack([baseline, arms]) + 3.5, columns=["baseline", *names])
    runs = table.rename_axis("seed").reset_index().melt("seed", var_name="arm", value_name="loss")
    return judge(runs.assign(status="done"), Plan(arms=tuple(names), smallest_effect=0.0))


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("arms", ARMS)
@pytest.mark.parametrize("seeds", [2, *SEEDS])
def test_simulated_studies_are_judged_like_real_ones(name: str, seeds: int, arms: int) -> None:
    studies = 3
    generator = np.random.default_rng([seeds, arms])
    baseline, losses = SCENARIOS[name].losses(generator, (studies, seeds, arms))
    losses = losses + np.resize(EFFECTS, arms)
    found = Decisions.on(losses - baseline)
    for i in range(studies):
        rows = judged(baseline[i], losses[i]).arms[1:]
        assert [row.effect for row in rows] == pytest.approx(found.effect[i], abs=1e-14)
        assert [row.p_adjusted for row in rows] == pytest.approx(found.p_adjusted[i], rel=1e-6)
        assert [row.ci_high for row in rows] == pytest.approx(
            found.effect[i] + found.margin[i], rel=1e-6
        )
        decided = [row.verdict in ("better", "worse") for row in rows]
        assert decided == found.decided[i].tolist()
        assert decided == [row.p_adjusted < ALPHA for row in rows]


def test_the_equally_noisy_arms_have_the_correlation_in_their_name() -> None:
    for name, correlation in (("equal, correlation 0", 0.0), ("equal, correlation 0.8", 0.8)):
        baseline, arms = SCENARIOS[name].losses(np.random.default_rng(0), (20_000, 3, 1))
        found = np.corrcoef(baseline.ravel(), arms.ravel())[0, 1]
        assert found == pytest.approx(correlation, abs=0.02)
        assert arms.std() == pytest.approx(baseline.std(), rel=0.02) == pytest.approx(0.012, 0.02)
