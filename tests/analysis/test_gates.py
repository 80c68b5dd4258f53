"""The gates of statistics.md, section 8, in short: error rate, power and coverage, simulated.

`benchmarks/statistics.py` prints them all. Limits are the gates' own, widened by two and a half
standard errors of this many repetitions.
"""

import numpy as np
import pandas as pd
import pytest

from analysis.unpaired import Side
from analysis.verdict import Judgement, Plan, judge
from benchmarks.gates.apart import SPREADS
from benchmarks.gates.apart import Study as Apart
from benchmarks.gates.shapes import one_arm_apart
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


def one_study(arms: dict[str, Floats], *, first_seed: dict[str, int]) -> Judgement:
    """Judge losses by arm, the baseline's first; seeds count from `first_seed`."""
    rows = [
        {"arm": arm, "seed": seed, "loss": loss, "status": "done"}
        for arm, losses in arms.items()
        for seed, loss in enumerate(losses.tolist(), first_seed[arm])
    ]
    return judge(pd.DataFrame(rows), Plan(arms=tuple(arms)[1:], smallest_effect=0.0))


def test_studies_with_unequal_numbers_of_seeds_are_judged_as_simulated() -> None:
    seeds = np.array([3, 7, 7, 7, 5, 7, 7, 4])
    generator = np.random.default_rng(1)
    losses = 3.5 + generator.normal(0, 0.01, (1, 7, 9))
    found = Decisions.on(losses[..., 1:] - losses[..., :1], seeds)
    runs = {"baseline": losses[0, :, 0]}
    runs |= {f"arm-{i}": losses[0, :n, i + 1] for i, n in enumerate(seeds)}
    rows = one_study(runs, first_seed=dict.fromkeys(runs, 0)).arms[1:]
    assert [row.p_adjusted for row in rows] == pytest.approx(found.p_adjusted[0], rel=1e-6)
    assert [row.ci_high for row in rows] == pytest.approx(
        found.effect[0] + found.margin[0], rel=1e-6
    )


@pytest.mark.parametrize("decimals", [2, 3, 4])
@pytest.mark.parametrize("arms", [2, 8])
def test_rounded_studies_are_judged_as_simulated(decimals: int, arms: int) -> None:
    generator = np.random.default_rng([decimals, arms])
    base = 3.5 + generator.normal(0, 0.012, (1, 5, 1))
    losses = np.round(
        base + np.resize([0.001, 0.004], arms) * generator.normal(0, 1, (1, 5, arms)), decimals
    )
    base = np.round(base, decimals)
    digit = 10.0**-decimals
    found = Decisions.on(np.round(losses - base, 10), digit=digit)
    runs = {"baseline": base[0, :, 0]} | {f"arm-{i}": losses[0, :, i] for i in range(arms)}
    judgement = one_study(runs, first_seed=dict.fromkeys(runs, 0))
    assert judgement.resolution == pytest.approx(digit)
    for i, row in enumerate(judgement.arms[1:]):
        if row.verdict != "identical":
            assert row.p_adjusted == pytest.approx(found.p_adjusted[0, i], rel=1e-6)


@pytest.mark.parametrize("runs", [(4, 4), (5, 7), (4, 20), (7, 4), (3, 20)])
@pytest.mark.parametrize("arms", [2, 8])
def test_unpaired_studies_are_judged_as_simulated(runs: tuple[int, int], arms: int) -> None:
    generator = np.random.default_rng([*runs, arms])
    own, base = generator.normal(3.5, 0.01, (runs[0], arms)), generator.normal(3.5, 0.01, runs[1])
    sides = [
        Side(n=len(x), mean=x.mean(axis=0)[None], variance=x.var(axis=0, ddof=1)[None])
        for x in (own, base[:, None])
    ]
    simulated = Apart(*sides)
    found = simulated.precision()
    table = {"baseline": base} | {f"arm-{i}": own[:, i] for i in range(arms)}
    rows = one_study(table, first_seed={arm: 100 * i for i, arm in enumerate(table)}).arms[1:]
    assert [row.df for row in rows] == pytest.approx(found.df[0], rel=1e-9)
    assert [row.standard_error for row in rows] == pytest.approx(
        np.sqrt(found.squared_error[0]), rel=1e-9
    )
    decided = [row.verdict in ("better", "worse") for row in rows]
    assert decided == simulated.decided(found)[0].tolist()


UNEVEN = [(3, 7, 3.0), (3, 7, 1.0), (4, 7, 3.0)]


@pytest.mark.parametrize(("few", "many", "sd"), UNEVEN)
def test_a_noisy_arm_with_few_seeds_keeps_its_coverage_and_the_study_its_error(
    few: int, many: int, sd: float
) -> None:
    found = one_arm_apart(STUDIES, few, many, sd, 8)
    assert found.familywise <= WIDENED
    assert found.covered.mean(axis=0).min() >= 0.93 - 2.5 * (0.07 * 0.93 / STUDIES) ** 0.5


@pytest.mark.parametrize("seeds", [3, 4, 5, 7])
def test_one_arm_that_is_three_times_as_noisy_keeps_the_error_of_a_study(seeds: int) -> None:
    assert one_arm_apart(STUDIES, seeds, seeds, 3.0, 8).familywise <= WIDENED


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize(("runs", "arms"), [((4, 4), 8), ((4, 20), 8), ((5, 7), 2), ((3, 20), 8)])
def test_unpaired_studies_keep_the_error(runs: tuple[int, int], arms: int, spread: str) -> None:
    study = Apart.draw(runs, arms, spread, 4000)
    assert study.decided(study.precision()).any(axis=1).mean() <= FAMILYWISE + 0.01
