"""The gate on factorials, in short, and that it judges as the analysis does."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.factorials.judge import judge_factorial
from benchmarks.gates import factorials as gate
from benchmarks.simulation import ALPHA, FAMILYWISE
from tests.analysis.test_factorial_effects import PLAN, factors_of, paired_runs


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_gate_judges_as_the_analysis_does(seeds: int) -> None:
    levels, matrix, mains, two = gate._design("2^(8-4)")
    losses = gate.by_factor(np.random.default_rng(seeds), 1, seeds, levels)
    rows = [tuple(map(int, row)) for row in levels]
    factors = factors_of("ABCDEFGH", rows)
    found = judge_factorial(paired_runs(rows, losses[0]), factors, PLAN, paired=True)
    main, interactions, _ = gate.paired("2^(8-4)", "noise by factor", seeds, 1)
    smallest = {
        family: min(each.p_adjusted or 1.0 for each in found.effects if each.family == family)
        for family in ("main", "interaction")
    }
    assert smallest["main"] == pytest.approx(main[0])
    assert smallest["interaction"] == pytest.approx(interactions[0])
    assert (len(matrix), mains, two) == (15, 8, 15)


@pytest.mark.parametrize("noise", gate.NOISES)
def test_the_familywise_error_of_main_effects_is_at_most_six_percent(noise: str) -> None:
    studies = 4000
    widened = FAMILYWISE + 2.5 * (FAMILYWISE * (1 - FAMILYWISE) / studies) ** 0.5
    for design in gate.DESIGNS:
        mains, interactions, missed = gate.paired(design, noise, 3, studies)
        assert (mains < ALPHA).mean() <= widened
        assert (interactions < ALPHA).mean() <= widened
        assert missed.mean(axis=0).max() <= 1 - gate.WORST_COVERAGE + 0.012


@pytest.mark.parametrize("design", gate.DESIGNS)
def test_one_run_of_each_combination_keeps_the_error_too(design: str) -> None:
    mains, interactions, _ = gate.unreplicated(design, "equal noise", 4000)
    assert (mains < ALPHA).mean() <= FAMILYWISE
    assert (interactions < ALPHA).mean() <= FAMILYWISE
