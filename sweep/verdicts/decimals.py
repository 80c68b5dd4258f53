"""How many decimals means, effects and standard deviations are shown with.

As many as their intervals support. A single run has no interval: its result, and the difference of
two runs, keep the decimals of the metric, because they are read off and not estimated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from sweep.terminal.units import shown_decimals, supported_decimals
from sweep.verdicts.judge import ArmReport, Report

CONFIDENCE = 0.95
"""Coverage of the intervals of means that are not shown themselves."""
MOST_OF_SD = 9
"""Decimals of a standard deviation: it may be far smaller than the results that it is of."""


def decimals(report: Report) -> int:
    """The most decimals of means and effects, by the mean of the baseline."""
    return shown_decimals(report.arms[0].mean_loss)


def mean_decimals(mean: float | None, sd: float | None, seeds: int | None, most: int) -> int:
    """Decimals of a mean over so many independent seeds: as many as its interval supports."""
    if mean is None or not sd or not seeds or seeds < 2:
        return most
    half = t_quantile(seeds - 1) * sd / math.sqrt(seeds)
    return supported_decimals(mean - half, mean + half, most)


def arm_mean_decimals(arm: ArmReport, most: int) -> int:
    """Decimals of the mean of an arm."""
    result = arm.result
    return mean_decimals(result.mean, result.sd, result.n_independent or result.n_done, most)


def difference_decimals(differences: Sequence[float], most: int) -> int:
    """Decimals of the mean of differences seed by seed."""
    if len(differences) < 2:
        return most
    return mean_decimals(fmean(differences), stdev(differences), len(differences), most)


def sd_decimals(low: float, high: float) -> int:
    """Decimals of a standard deviation with this interval."""
    return supported_decimals(low, high, MOST_OF_SD) if low < high else shown_decimals(None)


def t_quantile(df: float) -> float:
    """The two-sided quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + CONFIDENCE) / 2))
