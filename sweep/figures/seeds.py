"""The losses of all seeds, joined across arms: parallel lines show that seeds pair."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.pictures.figure import Dots, Figure, Key, Line, Mark, Panel, Tone, row_axis
from analysis.pictures.scale import linear_axis
from sweep.figures.source import Source
from sweep.figures.words import MAX_ROWS, left_out
from sweep.terminal.printable import harmless
from sweep.verdicts.decimals import decimals
from trainer.words import capitalized, counted

if TYPE_CHECKING:
    import pandas as pd

ROW_HEIGHT = 30.0
MAX_LINES = 40
"""Seeds that are drawn, the first ones."""
RANKS: tuple[Tone, ...] = ("rank1", "rank2", "rank3", "rank4", "rank5")


def seeds(source: Source) -> Figure | None:
    """Lines of seeds across arms; None if no run is done."""
    every = source.losses.dropna(axis="columns", how="all")
    if every.empty:
        return None
    table = every.iloc[:MAX_LINES, :MAX_ROWS]
    report, digits = source.report, decimals(source.report)
    order = table.iloc[:, 0].rank(method="first", na_option="bottom")
    marks: list[Mark] = []
    for number, (seed, row) in enumerate(table.iterrows()):
        share = (order.iloc[number] - 1) / max(len(table) - 1, 1)
        tone = RANKS[round(share * (len(RANKS) - 1))]
        marks += _seed_marks(source, int(str(seed)), row, tone, digits)
    panel = Panel(
        x=linear_axis(table.to_numpy().ravel().tolist(), harmless(report.metric.words)),
        y=row_axis([harmless(str(arm)) for arm in table.columns]),
        marks=marks,
        height=ROW_HEIGHT * table.shape[1],
        has_rows=True,
    )
    return Figure(
        title=f"{capitalized(harmless(report.metric.title))} of every seed",
        summary=_summary(source, table),
        left_out=left_out(
            (len(every) - len(table), "seed"), (every.shape[1] - table.shape[1], "arm")
        ),
        panels=[panel],
        keys=[
            Key(label="seed with the lowest value in the first row", tone="rank1", shape="line"),
            Key(label="median", tone="rank3", shape="line"),
            Key(label="highest", tone="rank5", shape="line"),
        ],
    )


def _seed_marks(
    source: Source, seed: int, row: pd.Series[float], tone: Tone, digits: int
) -> list[Mark]:
    points = [
        (float(value), float(place)) for place, value in enumerate(row) if not math.isnan(value)
    ]
    name = harmless(source.seed_name(seed))
    arms = [harmless(str(arm)) for arm, value in row.items() if not math.isnan(value)]
    dots = Dots(
        points=points,
        tone=tone,
        radius=2.6,
        tips=[
            f"{arm}, seed {name}: {value:.{digits}f}"
            for arm, (value, _) in zip(arms, points, strict=True)
        ],
    )
    if not source.report.pairs:
        return [dots]
    return [Line(points=points, tone=tone, width=1.2, opacity=0.7, tip=f"seed {name}"), dots]


def _summary(source: Source, table: pd.DataFrame) -> str:
    gains = [
        (harmless(arm.name), arm.result.pairing_gain)
        for arm in source.report.arms
        if arm.result.pairing_gain is not None
    ]
    start = f"The values of {counted(len(table), 'seed')} in {counted(table.shape[1], 'arm')}, a line per seed."
    if not gains:
        return start
    told = "; ".join(
        f"{name} {gain:.0f}" if gain >= 10 else f"{name} {gain:.1f}" for name, gain in gains
    )
    return f"{start} Unpaired seeds that one pair of seeds replaces: {told}."
