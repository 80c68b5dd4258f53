"""Draw intervals of effects as characters, all on one scale around zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sweep.progress.screen import Standing

WIDEST = 4.0
"""Intervals over so many times the median are cut off, so that the others can be seen."""


def interval_marks(rows: Sequence[Standing], width: int, *, unicode: bool = True) -> list[str]:
    """One text of `width` characters per row: `   ├──●──┤  │   `; empty without an interval."""
    reach = _reach(rows)
    if not reach:
        return [""] * len(rows)
    return [_marks(row, reach, width, unicode=unicode) for row in rows]


def _reach(rows: Sequence[Standing]) -> float:
    """The effect at both ends of the scale."""
    ends = sorted(
        max(abs(row.low), abs(row.high))
        for row in rows
        if row.low is not None
        and row.high is not None
        and math.isfinite(row.low)
        and math.isfinite(row.high)
    )
    return min(ends[-1], WIDEST * ends[len(ends) // 2]) if ends else 0.0


def _marks(row: Standing, reach: float, width: int, *, unicode: bool) -> str:
    if row.low is None or row.high is None or row.effect is None:
        return ""

    def place(value: float) -> int:
        at = min(1.0, max(-1.0, value / reach))
        return round((at + 1) / 2 * (width - 1))

    left, line, right, dot, zero = "├─┤●│" if unicode else "|-|o:"
    cells = [" "] * width
    cells[place(0.0)] = zero
    low, high = place(row.low), place(row.high)
    cells[low : high + 1] = line * (high - low + 1)
    if abs(row.low) <= reach:
        cells[low] = left
    if abs(row.high) <= reach:
        cells[high] = right
    cells[place(row.effect)] = dot
    return "".join(cells)
