"""How many decimals means and effects of a report are shown with."""

from __future__ import annotations

from sweep.terminal.units import shown_decimals
from sweep.verdicts.judge import Report


def decimals(report: Report) -> int:
    """Decimals of means and effects, by the mean of the baseline."""
    return shown_decimals(report.arms[0].mean_loss)
