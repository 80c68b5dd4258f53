"""How many decimals means and effects of a report are shown with."""

from __future__ import annotations

from sweep.verdicts.judge import Report

LARGE, VERY_LARGE = 1_000, 100_000
"""Means from which on one decimal is shown, or none."""


def decimals(report: Report) -> int:
    """Decimals of means and effects: fewer for a metric with large numbers, such as a speed."""
    mean = abs(report.arms[0].mean_loss or 0.0)
    return 4 if mean < LARGE else 1 if mean < VERY_LARGE else 0
