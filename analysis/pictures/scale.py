"""Axes with round ticks for given values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .figure import Axis, Tick

PADDING = 0.04
"""Room beyond the outermost values, as a fraction of the range."""
ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Steps between ticks, times a power of ten."""
LOG_STEPS = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
"""Ticks between powers of ten, from many to few."""
LEAST_LOG_TICKS, MOST_LOG_TICKS = 2, 6


def linear_axis(
    values: Iterable[float],
    title: str = "",
    *,
    ticks: int = 5,
    signed: bool = False,
    whole: bool = False,
) -> Axis:
    """An axis that holds all finite values, with about `ticks` ticks.

    `signed` writes `+0.01`; `whole` puts ticks at whole numbers only.
    """
    finite = [each for each in values if math.isfinite(each)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if low == high:
        margin = abs(low) * 1e-3 or 1.0
        low, high = low - margin, high + margin
    padding = PADDING * (high - low)
    low, high = low - padding, high + padding
    step = _step((high - low) / max(ticks, 1))
    step = max(1.0, float(round(step))) if whole else step
    return Axis(low=low, high=high, ticks=_ticks(low, high, step, signed=signed), title=title)


def log_axis(values: Iterable[float], title: str = "") -> Axis:
    """A logarithmic axis that holds all positive values."""
    positive = [each for each in values if 0 < each < math.inf]
    low, high = (min(positive), max(positive)) if positive else (1.0, 10.0)
    room = max((high / low) ** PADDING, 1.05)
    low, high = low / room, high * room
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in LOG_STEPS:
        found = [step * 10.0**power for power in powers for step in steps]
        within = [value for value in found if low <= value <= high]
        if len(within) <= MOST_LOG_TICKS:
            break
    ticks: Sequence[Tick] = [Tick(value=value, label=f"{value:.10g}") for value in within]
    if len(ticks) < LEAST_LOG_TICKS:  # the range lies between two of them
        ticks = [tick for tick in linear_axis([low, high]).ticks if low <= tick.value <= high]
    return Axis(low=low, high=high, ticks=ticks, title=title, log=True)


def _ticks(low: float, high: float, step: float, *, signed: bool) -> list[Tick]:
    digits = max(0, -math.floor(math.log10(step)))
    if round(step * 10**digits, 6) % 1:  # a step of 2.5
        digits += 1
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [place * step for place in range(first, last + 1)]
    return [Tick(value=value, label=_label(value, digits, signed=signed)) for value in values]


def _step(least: float) -> float:
    """The smallest round step of at least this size."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(each * power for each in ROUND if each * power >= least * (1 - 1e-9))


def _label(value: float, digits: int, *, signed: bool) -> str:
    text = f"{abs(value):,.{digits}f}"
    if not float(text.replace(",", "")):
        return "0"
    sign = "−" if value < 0 else "+" if signed else ""
    return sign + text
