"""The forest plot: the effect of each arm with its interval, and every seed as a dot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from analysis.pictures.figure import Dots, Figure, Interval, Key, Mark, Panel, Rule, Span, row_axis
from analysis.pictures.scale import linear_axis
from sweep.figures.source import Source
from sweep.figures.words import (
    MAX_ROWS,
    better_side,
    left_out,
    negligible_key,
    shown_effect,
    shown_number,
    sign_of,
    unit_of,
    verdict_keys,
)
from sweep.terminal.printable import harmless
from sweep.verdicts.changes import JudgedChange, judged_changes
from sweep.verdicts.decimals import decimals
from sweep.verdicts.judge import Report

ROW_HEIGHT = 34.0
MAX_DOTS, LEAST_DOTS = 6_000, 20
"""Seeds that are drawn: so many in the whole figure, but at least so many in each row."""
SEEDS_BELOW = 0.27
"""Distance of the seeds from the estimate, in rows."""


@dataclass(frozen=True, kw_only=True)
class ForestRow(JudgedChange):
    """One effect of the plot."""

    seeds: Sequence[tuple[str, float]] = ()
    """Name of each seed, and its difference to the baseline."""


def forest_rows(source: Source) -> list[ForestRow]:
    """The arms without the baseline; of a factorial its effects."""
    report = source.report
    return [
        ForestRow(**vars(each), seeds=() if report.factorial else _seeds(source, each.name))
        for each in judged_changes(report)
    ]


def _seeds(source: Source, arm: str) -> list[tuple[str, float]]:
    differences = source.differences[arm].dropna()
    return [(source.seed_name(int(str(seed))), float(value)) for seed, value in differences.items()]


def forest(source: Source) -> Figure | None:
    """The forest plot; None without an effect."""
    every, report = forest_rows(source), source.report
    known = [row for row in every if row.effect is not None]
    if not known:
        return None
    rows = known[:MAX_ROWS]
    most = max(MAX_DOTS // len(rows), LEAST_DOTS)
    hidden = max(len(row.seeds) for row in rows) - most
    rows = [replace(row, seeds=row.seeds[:most]) for row in rows]
    delta = source.smallest_effect
    marks: list[Mark] = [Span(axis="x", low=-delta, high=delta)] if delta else []
    marks.append(Rule(axis="x", value=0.0, tone="muted"))
    digits = decimals(report)
    for place, row in enumerate(rows):
        marks += _row_marks(place, row, digits)
    axis = linear_axis(_extent(rows, delta), _axis_title(report), ticks=6, signed=True)
    panel = Panel(
        x=axis,
        y=row_axis([harmless(row.name) for row in rows]),
        marks=marks,
        height=ROW_HEIGHT * len(rows),
        has_rows=True,
        notes=[_note(row, digits) for row in rows],
    )
    return Figure(
        title=f"Effects on {harmless(report.metric.title)}",
        summary=_summary(rows, delta, digits),
        left_out=left_out((len(known) - len(rows), "effect"), (hidden, "seed")),
        panels=[panel],
        keys=_keys(rows, delta),
    )


def _axis_title(report: Report) -> str:
    what = "effect" if report.factorial else "arm − baseline"
    return f"{what}, {unit_of(report.metric)}   {better_side(report.direction)}"


def _row_marks(place: int, row: ForestRow, digits: int) -> list[Mark]:
    tone, shape = sign_of(row.verdict)
    marks: list[Mark] = []
    middle = place - 0.08 if row.seeds else float(place)
    if row.seeds:
        marks.append(
            Dots(
                points=[(value, middle + SEEDS_BELOW) for _, value in row.seeds],
                tone=tone,
                radius=2.6,
                opacity=0.55,
                tips=[
                    f"{harmless(row.name)}, seed {harmless(seed)}: {shown_number(value, digits)}"
                    for seed, value in row.seeds
                ],
            )
        )
    tip = f"{harmless(row.name)}: {_note(row, digits)}, {row.verdict or 'no verdict'}"
    if row.low is not None and row.high is not None:
        marks.append(Interval(y=middle, low=row.low, high=row.high, tone=tone, tip=tip))
    marks.append(
        Dots(points=[(row.effect or 0.0, middle)], tone=tone, shape=shape, radius=4.5, tips=[tip])
    )
    return marks


def _note(row: ForestRow, digits: int) -> str:
    return shown_effect(row.effect or 0.0, row.low, row.high, digits)


def _extent(rows: Sequence[ForestRow], delta: float) -> list[float]:
    """What the axis holds: effects and seeds, and the ends of intervals that are not far out."""
    core = [0.0, -delta, delta, *(row.effect or 0.0 for row in rows)]
    core += [value for row in rows for _, value in row.seeds]
    low, high = min(core), max(core)
    room = (high - low) or 1.0
    ends = [end for row in rows for end in (row.low, row.high) if end is not None]
    return [*core, *_within(ends, low - room, high + room)]


def _within(values: Iterable[float], low: float, high: float) -> list[float]:
    return [min(max(each, low), high) for each in values if math.isfinite(each)]


def _keys(rows: Sequence[ForestRow], delta: float) -> list[Key]:
    keys = verdict_keys([row.verdict for row in rows])
    if any(row.seeds for row in rows):
        keys.append(Key(label="one seed", tone="muted", shape="circle", is_small=True))
    if delta:
        keys.append(negligible_key(delta))
    return keys


def _summary(rows: Sequence[ForestRow], delta: float, digits: int) -> str:
    told = [
        f"{harmless(row.name)} {_note(row, digits)}, {row.verdict or 'no verdict'}" for row in rows
    ]
    band = f" Effects within ±{delta:g} are too small to matter." if delta else ""
    return f"Effect and adjusted interval of each row: {'; '.join(told)}.{band}"
