"""QQ plots and normality tests of losses."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.normality import MAX_POINTS, normality

WEIGHTS = [148, 154, 158, 160, 161, 162, 166, 170, 182, 195, 236]
"""Shapiro and Wilk (1965, Biometrika 52, p. 606): weights of eleven men in pounds."""


def test_the_example_of_shapiro_and_wilk_has_their_statistic() -> None:
    found = normality(WEIGHTS)
    assert found is not None
    assert found.w == pytest.approx(0.79, abs=0.005)
    assert found.p is not None
    assert found.p < 0.01  # they: "about .01"; Royston's approximation: 0.0067


def test_the_points_rise_and_hold_every_loss() -> None:
    found = normality(WEIGHTS[::-1])
    assert found is not None
    assert [loss for _, loss in found.points] == WEIGHTS
    quantiles = [quantile for quantile, _ in found.points]
    assert quantiles == sorted(quantiles)
    assert quantiles[5] == pytest.approx(0.0, abs=1e-12)


def test_normal_quantiles_lie_on_a_line_wherever_they_are() -> None:
    normal = normality(np.arange(50.0))
    line = normality(2.3 + 1e-7 * np.array([q for q, _ in normal.points])) if normal else None
    assert line is not None
    assert line.correlation == pytest.approx(1.0, abs=1e-6)
    assert line.w == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("losses", [[], [2.3], [2.3, 2.4], [2.3, 2.3, 2.3]])
def test_too_few_or_equal_losses_have_no_shape(losses: list[float]) -> None:
    assert normality(losses) is None


def test_a_qq_plot_of_many_losses_has_a_limited_number_of_points() -> None:
    found = normality(np.random.default_rng(0).normal(size=6_000))
    assert found is not None
    assert len(found.points) == MAX_POINTS
    assert (found.w, found.p) == (None, None)
    assert found.correlation > 0.99
