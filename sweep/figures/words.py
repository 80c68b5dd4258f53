"""Words and signs that several figures share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.pictures.figure import Key, Shape, Tone
from sweep.metrics.metric import Direction, Metric
from sweep.terminal.printable import harmless
from sweep.terminal.units import supported_decimals
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.decision import Verdict

MAX_ROWS = 60
"""Rows of a figure; further arms are left out, and a sentence below the figure says so."""
SIGNS: Mapping[Verdict, tuple[Tone, Shape]] = {
    "better": ("better", "diamond"),
    "worse": ("worse", "square"),
    "unstable": ("worse", "cross"),
    "undecided": ("undecided", "ring"),
    "negligible": ("negligible", "circle"),
    "identical": ("negligible", "circle"),
}
"""Colour and shape of verdicts: each is told apart without colour, too."""
UNJUDGED: tuple[Tone, Shape] = ("muted", "ring")


def sign_of(verdict: Verdict | None) -> tuple[Tone, Shape]:
    """Colour and shape of a verdict."""
    return SIGNS[verdict] if verdict else UNJUDGED


def verdict_keys(verdicts: Sequence[Verdict | None]) -> list[Key]:
    """Legend entries of the verdicts that occur."""
    return [
        Key(label=verdict, tone=tone, shape=shape)
        for verdict, (tone, shape) in SIGNS.items()
        if verdict in verdicts
    ]


def shown_number(value: float, digits: int) -> str:
    """`−0.0165`: a number with its sign, for a figure."""
    return f"{value:+.{digits}f}".replace("-", "−")


def _shown_interval(low: float | None, high: float | None, digits: int) -> str:
    """`−0.0252 to −0.0072`; empty if there is none."""
    if low is None or high is None:
        return ""
    if abs(low) == abs(high) == float("inf"):
        return "unbounded"
    return f"{shown_number(low, digits)} to {shown_number(high, digits)}"


def shown_effect(effect: float, low: float | None, high: float | None, digits: int) -> str:
    """`−0.0165  [−0.0252 to −0.0072]`: an effect, and its interval if there is one.

    They have at most so many decimals, and no more than the interval supports.
    """
    digits = supported_decimals(low, high, digits)
    interval = _shown_interval(low, high, digits)
    number = shown_number(effect, digits)
    return f"{number}  [{interval}]" if interval else number


def unit_of(metric: Metric) -> str:
    """What the axis of an effect is labelled with: the unit; the title of a metric without one."""
    return harmless(metric.unit or metric.title)


def negligible_key(smallest_effect: float) -> Key:
    """The legend entry of the band of effects that do not matter."""
    label = f"too small to matter, within ±{smallest_effect:g}"
    return Key(label=label, tone="band", shape="area")


def better_side(direction: Direction) -> str:
    """`← better`: the side of an effect's axis on which improvements are."""
    return "← better" if direction is Direction.MINIMIZE else "better →"


def left_out(*found: tuple[int, str]) -> str:
    """Sentences on what is not drawn, by number and noun; empty if all is."""
    return " ".join(
        f"{counted(number, f'more {noun}')} {'is' if number == 1 else 'are'} not drawn."
        for number, noun in found
        if number > 0
    )
