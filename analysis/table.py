"""Verdicts and noise as tables, for people (rich) and for documents (Markdown, CSV).

Everything here takes the plain values that `--format json` prints, so no two formats disagree.
"""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

Row = dict[str, Any]

STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "unstable": "bold red",
    "negligible": "dim",
    "identical": "dim",
    "undecided": "yellow",
    "reference": "dim",
}


@dataclass(frozen=True)
class Column:
    """A column of a table for people."""

    title: str
    cell: Callable[[Row], str]
    justify: Literal["left", "right"] = "right"
    needs: int = 0
    """The width of terminal from which on the column is shown."""


def verdict_columns(confidence: float) -> list[Column]:
    """The columns of a report, for intervals of the given confidence."""
    return [
        Column("arm", lambda row: str(row["arm"]), "left"),
        Column("runs", runs_done),
        Column("mean", lambda row: number(row["mean"]), needs=90),
        Column("effect", lambda row: signed(row["effect"])),
        Column(f"{confidence:.0%} interval", interval),
        Column("pairing", lambda row: times(row["pairing_gain"]), needs=96),
        Column("p", lambda row: probability(row["p"]), needs=110),
        Column("p adj.", lambda row: probability(row["p_adjusted"])),
        Column("verdict", verdict_words, "left"),
    ]


NOISE_COLUMNS = [
    Column("arm", lambda row: str(row["arm"]), "left"),
    Column("one run", lambda row: number(row["loss"])),
    Column("difference", lambda row: signed(row["difference"])),
    Column("in sd", lambda row: signed(row["deviations"], digits=1)),
    Column("p", lambda row: probability(row["p"])),
    Column("p adj.", lambda row: probability(row["p_adjusted"])),
]


def runs_done(row: Row) -> str:
    """`5`, or `4 of 5` where runs are missing; nothing for a reference, which has none here."""
    if row["n_done"] is None:
        return ""
    total = sum(row[key] for key in ("n_done", "n_diverged", "n_failed", "n_missing"))
    return str(total) if row["n_done"] == total else f"{row['n_done']} of {total}"


def verdict_words(row: Row) -> str:
    """The verdict with what a reader must know beside it."""
    words = [_verdict(row)] if row["verdict"] else []
    words += [
        f"{row[key]} {word}"
        for key, word in (("n_diverged", "diverged"), ("n_failed", "failed"))
        if row[key]
    ]
    return ", ".join(words) + (" *" if row["sensitive"] else "")


def _verdict(row: Row) -> str:
    if row["verdict"] == "undecided":
        return f"undecided{_to_settle(row)}"
    return f"{row['verdict']} (real)" if row["real_but_negligible"] else str(row["verdict"])


def _to_settle(row: Row) -> str:
    seeds = row["seeds_to_settle"]
    return f" (+{seeds})" if seeds else ""


def interval(row: Row) -> str:
    """`-0.0123, -0.0101`, or nothing."""
    low, high = row["ci_low"], row["ci_high"]
    return "" if low is None else f"{signed(low)}, {signed(high)}"


def number(value: float | None, digits: int = 4) -> str:
    """Fixed point, or nothing for None."""
    return "" if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 4) -> str:
    """Fixed point with its sign, or nothing for None."""
    return "" if value is None else f"{value:+.{digits}f}"


def probability(value: float | None) -> str:
    """`0.043`, `<0.001`, or nothing for None."""
    if value is None:
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def times(value: float | None) -> str:
    """`×376`, or nothing for None: how many runs a paired one is worth."""
    if value is None or not math.isfinite(value):
        return ""
    return f"×{value:.0f}" if value >= 10 else f"×{value:.1f}"


def rich_table(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Table:
    """A table for a terminal `width` columns wide; columns that it has no room for are left out."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    shown = [column for column in columns if column.needs <= width]
    for column in shown:
        table.add_column(column.title, justify=column.justify, no_wrap=column.title != "verdict")
    for row in rows:
        style = STYLES.get(row.get("verdict") or "", "")
        cells = [
            Text(column.cell(row), style if column.title == "verdict" else "") for column in shown
        ]
        table.add_row(*cells)
    return table


def markdown_table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A table in GitHub's Markdown."""
    lines = [
        [column.title for column in columns],
        ["---" if column.justify == "left" else "---:" for column in columns],
        *([column.cell(row).replace("|", "\\|") for column in columns] for row in rows),
    ]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def csv_table(rows: Sequence[Row]) -> str:
    """Every field of every row, unrounded; lists joined by `+`, None left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "+".join(v) if isinstance(v, list) else v for k, v in row.items()})
    return text.getvalue()
