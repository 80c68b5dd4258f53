"""The half-normal plot of a factorial's effects: those of noise alone lie on a line through 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from analysis.pictures.figure import Dots, Figure, Key, Label, Mark, Panel, Rule
from analysis.pictures.scale import linear_axis
from sweep.figures.source import Source
from sweep.figures.words import shown_number, sign_of, unit_of
from sweep.terminal.printable import harmless
from sweep.verdicts.decimals import decimals

if TYPE_CHECKING:
    from analysis.decision import Verdict
    from analysis.factorials.result import LenthMargins, Point

HEIGHT = 320.0
NAMED = 8
"""Points with a name beside them: the largest effects."""
LONGEST_NAME = 28


def design(source: Source) -> Figure | None:
    """The half-normal plot; None if the study has no factorial with effects."""
    effects = source.report.effects
    if effects is None or not effects.result.points:
        return None
    points, lenth = effects.result.points, effects.result.lenth
    verdicts = {each.name: each.verdict for each in effects.result.effects}
    digits = decimals(source.report)
    panel = Panel(
        x=linear_axis(
            [0.0, *(each.size for each in points), *_margins(lenth)],
            f"size of the effect, {unit_of(source.report.metric)}",
        ),
        y=linear_axis([0.0, *(each.quantile for each in points)], "half-normal quantile"),
        marks=[*_rules(lenth), *_marks(points, verdicts, digits)],
        height=HEIGHT,
    )
    return Figure(
        title="Half-normal plot of the effects",
        summary=_summary(points, digits),
        panels=[panel],
        keys=_keys(lenth),
    )


def _margins(lenth: LenthMargins | None) -> list[float]:
    return [lenth.margin, lenth.simultaneous_margin] if lenth else []


def _rules(lenth: LenthMargins | None) -> list[Mark]:
    if lenth is None:
        return []
    return [
        Rule(axis="x", value=lenth.margin, tone="muted", dashed=True),
        Rule(axis="x", value=lenth.simultaneous_margin, tone="worse", dashed=True),
    ]


def _marks(points: Sequence[Point], verdicts: dict[str, Verdict], digits: int) -> list[Mark]:
    marks: list[Mark] = []
    widest = max(each.size for each in points)
    for place, each in enumerate(points):
        tone, shape = sign_of(verdicts.get(each.name))
        tip = f"{harmless(each.name)}: {shown_number(each.effect, digits)}"
        at = (each.size, each.quantile)
        marks.append(Dots(points=[at], tone=tone, shape=shape, radius=4.5, tips=[tip]))
        if place >= len(points) - NAMED:
            name = harmless(each.name)
            text = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
            side: Literal["left", "right"] = "left" if each.size > widest / 2 else "right"
            marks.append(Label(at=at, text=text, side=side))
    return marks


def _keys(lenth: LenthMargins | None) -> list[Key]:
    if lenth is None:
        return []
    return [
        Key(label="Lenth's margin of one effect", tone="muted", shape="dashes"),
        Key(label="of all effects", tone="worse", shape="dashes"),
    ]


def _summary(points: Sequence[Point], digits: int) -> str:
    largest = [*reversed(points)][:NAMED]
    told = "; ".join(
        f"{harmless(each.name)} {shown_number(each.effect, digits)}" for each in largest
    )
    return f"Sizes of {len(points)} effects against half-normal quantiles. The largest: {told}."
