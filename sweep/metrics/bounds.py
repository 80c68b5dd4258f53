"""Bounds of guards as people write them: `-5%` of a speed, `+0.002` of a loss."""

from __future__ import annotations

import math
import re

from analysis.bounds import Bound
from sweep.metrics.metric import Direction, Metric

SMALL_PERCENT = 0.1
"""Smaller changes are shown with one digit that is not zero."""
_FORM = re.compile(r"\s*([+\-−]?)\s*([0-9.,_eE+\-]+?)\s*(%?)\s*")


def parse_bound(text: str, metric: Metric) -> Bound:
    """Read how much worse a metric may be. Raises ValueError with a sentence that names the bound.

    The sign may be left out: a bound is always on the worse side.
    """
    example = _example(metric)
    found = _FORM.fullmatch(text)
    number = _number(found[2]) if found else None
    if found is None or number is None:
        raise ValueError(
            f"{text!r} is no bound; write how much worse {metric.name} may be, as {example}"
        )
    higher = metric.direction is Direction.MAXIMIZE
    sign = found[1].replace("−", "-")
    if number and sign == ("+" if higher else "-"):
        side = "lower" if higher else "higher"
        raise ValueError(
            f"{text!r} asks for an improvement: {metric.direction.words} for {metric.name}, and a "
            f"guard says how much {side} it may be, as {example}"
        )
    percent = found[3] == "%"
    return Bound(
        amount=number / 100 if percent else number, is_relative=percent, higher_is_better=higher
    )


def worst_words(bound: Bound) -> str:
    """A bound in words: `lower by at most 5%`, `higher by at most 0.002`."""
    side = "lower" if bound.higher_is_better else "higher"
    amount = f"{100 * bound.amount:g}%" if bound.is_relative else f"{bound.amount:g}"
    return f"{side} by at most {amount}"


def change_text(bound: Bound, change: float) -> str:
    """A change of a guard's metric: `-1.2%` or `+0.0013`."""
    if not bound.is_relative:
        return f"{change:+.3g}"
    percent = 100 * change
    few = abs(percent) < SMALL_PERCENT and change != 0
    return f"{percent:+.1g}%" if few else f"{percent:+.1f}%"


def _number(text: str) -> float | None:
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _example(metric: Metric) -> str:
    sign = "-" if metric.direction is Direction.MAXIMIZE else "+"
    return f'"{sign}5%" or "{sign}0.1"'
