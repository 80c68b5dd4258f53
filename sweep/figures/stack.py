"""A stack: the effect of each member alone and in the stack, predicted and confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.pictures.figure import Dots, Figure, Interval, Key, Mark, Panel, Rule, row_axis
from analysis.pictures.scale import linear_axis
from sweep.figures.source import Source
from sweep.figures.words import better_side, shown_effect, shown_number, unit_of
from sweep.terminal.printable import harmless
from sweep.verdicts.decimals import decimals
from sweep.verdicts.stack_result import StackResult

ROW_HEIGHT = 40.0
APART = 0.16
"""Distance of prediction and confirmation from the middle of a row."""


@dataclass(frozen=True, kw_only=True)
class StackRow:
    """A member, or all of them together. In the unit of the metric; None if unknown."""

    name: str
    predicted: float
    predicted_low: float | None = None
    predicted_high: float | None = None
    confirmed: float | None = None
    low: float | None = None
    high: float | None = None


def stack(source: Source) -> Figure | None:
    """Predicted against confirmed effects; None without a trained stack."""
    found = source.stack
    if found is None or found.predicted is None:
        return None
    rows, digits = _rows(found), decimals(source.report)
    marks: list[Mark] = [Rule(axis="x", value=0.0)]
    for place, row in enumerate(rows):
        marks += _row_marks(place, row, digits)
    values = [0.0, *(value for row in rows for value in vars(row).values() if _is_number(value))]
    title = f"effect, {unit_of(source.report.metric)}   {better_side(found.direction)}"
    panel = Panel(
        x=linear_axis(values, title, ticks=6, signed=True),
        y=row_axis([row.name for row in rows]),
        marks=marks,
        height=ROW_HEIGHT * len(rows),
        has_rows=True,
        notes=[_note(row, digits) for row in rows],
    )
    return Figure(
        title="Predicted and confirmed stack",
        summary=_summary(found, rows, digits),
        panels=[panel],
        keys=[
            Key(label="predicted from the study", tone="muted", shape="ring"),
            Key(label="confirmed on fresh seeds", tone="arm", shape="diamond"),
        ],
    )


def _is_number(value: object) -> bool:
    return isinstance(value, float)


def _rows(found: StackResult) -> list[StackRow]:
    assert found.predicted is not None  # noqa: S101  (for the type checker: the caller has checked it)
    confirmed, predicted = found.confirmed, found.predicted
    together = StackRow(
        name="all together",
        predicted=predicted.effect,
        predicted_low=predicted.ci_low,
        predicted_high=predicted.ci_high,
        confirmed=confirmed.effect if confirmed else None,
        low=confirmed.ci_low if confirmed else None,
        high=confirmed.ci_high if confirmed else None,
    )
    members = [
        StackRow(
            name=harmless(each.arm),
            predicted=each.predicted,
            confirmed=each.contribution,
            low=each.ci_low,
            high=each.ci_high,
        )
        for each in found.members
    ]
    return [*members, together]


def _row_marks(place: int, row: StackRow, digits: int) -> list[Mark]:
    above, below = place - APART, place + APART
    tip = f"{row.name}, predicted: {shown_number(row.predicted, digits)}"
    marks: list[Mark] = []
    if row.predicted_low is not None and row.predicted_high is not None:
        low, high = row.predicted_low, row.predicted_high
        marks.append(Interval(y=above, low=low, high=high, tone="muted", tip=tip))
    marks.append(
        Dots(points=[(row.predicted, above)], tone="muted", shape="ring", radius=4.5, tips=[tip])
    )
    if row.confirmed is None:
        return marks
    tip = f"{row.name}, confirmed: {_note(row, digits)}"
    if row.low is not None and row.high is not None:
        marks.append(Interval(y=below, low=row.low, high=row.high, tone="arm", tip=tip))
    dot = Dots(points=[(row.confirmed, below)], tone="arm", shape="diamond", radius=4.5, tips=[tip])
    return [*marks, dot]


def _note(row: StackRow, digits: int) -> str:
    if row.confirmed is None:
        return ""
    return shown_effect(row.confirmed, row.low, row.high, digits)


def _summary(found: StackResult, rows: Sequence[StackRow], digits: int) -> str:
    told = "; ".join(
        f"{row.name} predicted {shown_number(row.predicted, digits)}, confirmed "
        f"{_note(row, digits) or 'not yet'}"
        for row in rows
    )
    return f"Effects in the stack of {harmless(found.study)}: of a member, what it adds to the others. {told}."
