"""The page that compares two runs or arms: recipes, results, curves, gradients and text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from analysis.tables.table import Column, number, signed
from sweep.reports.document import Table
from sweep.reports.page import Part, Plot
from sweep.reports.plot import Series
from sweep.reports.run_page import shown_value
from sweep.terminal.printable import one_line
from sweep.terminal.units import shown_decimals
from sweep.verdicts.arm_changes import Changed
from sweep.verdicts.comparison import ChunkDifference, Comparison, Pair, Stretch
from sweep.verdicts.curves import Point
from sweep.verdicts.decimals import difference_decimals
from trainer.words import capitalized, counted

MANY_PAIRS = 12
"""Pairs that are listed one by one."""


def comparison_page(made: Comparison, verdict: str = "") -> list[Part]:
    """The page; `verdict` is a sentence of the study's report, if it has one."""
    first, second = made.first.name, made.second.name
    parts: list[Part] = [
        f"{second} against {first}: {_headline(made)}.",
        *([verdict] if verdict else []),
    ]
    if made.changes:
        parts += ["", "Recipes differ in:", recipe_table(first, second, made.changes)]
    else:
        parts += ["The recipes are the same, apart from seeds."]
    if 1 < len(made.pairs) <= MANY_PAIRS:
        parts.append(Table(_pair_columns(first, second, _decimals(made)), made.pairs))
    parts += list(_curves(made))
    if made.stretches:
        parts += ["", *_where(made), Table(_stretch_columns(first, second), made.stretches)]
    if made.chunks:
        parts += ["", _chunk_line(made), Table(_chunk_columns(), made.chunks)]
    if made.missing_text:
        parts.append(f"Their text cannot be shown: {made.missing_text}.")
    return parts


def comparison_json(made: Comparison) -> dict[str, Any]:
    """JSON values of a comparison."""
    return {
        "first": made.first.name,
        "second": made.second.name,
        "metric": made.metric,
        "changes": [asdict(each) for each in made.changes],
        "pairs": [{**asdict(each), "difference": each.difference} for each in made.pairs],
        "arises_at": made.arises_at,
        "stretches": [{**asdict(each), "difference": each.difference} for each in made.stretches],
        "curve_differences": [
            {"step": step, "difference": value} for step, value in made.differences.items()
        ],
        "chunks": [asdict(each) for each in made.chunks],
    }


def _headline(made: Comparison) -> str:
    values = [each.difference for each in made.pairs if each.difference is not None]
    metric = made.metric.replace("_", " ")
    if not values:
        return f"no {metric} of both yet"
    if len(values) == 1:
        (pair,) = (each for each in made.pairs if each.difference is not None)
        most = _decimals(made)
        return (
            f"{metric} {number(pair.second, most)} and {number(pair.first, most)}, a difference of "
            f"{signed(values[0], most)}. One pair is no verdict"
        )
    below = sum(value < 0 for value in values)
    mean = signed(fmean(values), difference_decimals(values, _decimals(made)))
    return (
        f"mean difference of the {metric} {mean} over {counted(len(values), 'seed')}, "
        f"negative in {below} of them"
    )


def _decimals(made: Comparison) -> int:
    """Decimals of single runs, as of a report's means."""
    values = (pair.first for pair in made.pairs if pair.first is not None)
    return shown_decimals(next(values, None))


def _curves(made: Comparison) -> Iterator[Plot]:
    first, second = made.curves
    title = capitalized(first.metric)
    series = [
        Series(side.name, list(curve.points), curve.values)
        for side, curve in ((made.first, first), (made.second, second))
        if curve.points
    ]
    if series:
        yield Plot(title, series)
    if made.differences:
        name = f"{title} of {made.second.name} minus {made.first.name}"
        found = made.differences
        yield Plot(name, [Series(name, list(found), list(found.values()))], signed=True)


def _where(made: Comparison) -> Iterator[str]:
    at, last = made.arises_at, made.stretches[-1].until
    if at is not None:
        share = at / last if last else 0.0
        yield (
            f"Where it arises: from step {at:,} ({share:.0%} of training) on, the difference has at "
            "least half of its final size. Means over stretches of training:"
        )


def recipe_table(first: str, second: str, changes: Sequence[Changed]) -> Table[Changed]:
    """The fields that differ, with the values of both sides."""
    columns: list[Column[Changed]] = [
        Column("field", lambda row: row.field, "left"),
        Column(first, lambda row: shown_value(row.first), "left"),
        Column(second, lambda row: shown_value(row.second), "left"),
    ]
    return Table(columns, changes)


def _pair_columns(first: str, second: str, digits: int) -> list[Column[Pair]]:
    return [
        Column("seed", lambda row: str(row.seed)),
        Column(first, lambda row: number(row.first, digits)),
        Column(second, lambda row: number(row.second, digits)),
        Column("difference", lambda row: signed(row.difference, digits)),
    ]


def _stretch_columns(first: str, second: str) -> list[Column[Stretch]]:
    return [
        Column("until step", lambda row: f"{row.until:,}"),
        Column("difference", lambda row: signed(row.difference)),
        *_side_columns(first, lambda row: row.first),
        *_side_columns(second, lambda row: row.second),
    ]


def _side_columns(name: str, side: Callable[[Stretch], Point]) -> list[Column[Stretch]]:
    return [
        Column(f"gradient norm {name}", lambda row: _short(side(row).grad_norm), spare=1),
        Column(f"clipped {name}", lambda row: _share(side(row).clipped), spare=2),
        Column(f"skipped {name}", lambda row: _count(side(row).skipped), spare=2),
        Column(f"rate {name}", lambda row: _short(side(row).learning_rate), spare=3),
    ]


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return f"{value:.0%}" if value else ""


def _count(value: float) -> str:
    return f"{value:g}" if value else ""


def _chunk_line(made: Comparison) -> str:
    most = "loses most" if made.chunks[0].difference > 0 else "gains least"
    return (
        f"Of {counted(made.all_chunks, 'chunk')} of test text, {made.second.name} {most} on these "
        "(nats per token):"
    )


def _chunk_columns() -> list[Column[ChunkDifference]]:
    return [
        Column("chunk", lambda row: str(row.chunk)),
        Column("from test token", lambda row: f"{row.begin:,}"),
        Column("difference", lambda row: signed(row.difference)),
        Column("begins with", lambda row: one_line(row.text or ""), "left", is_cut=True),
    ]
