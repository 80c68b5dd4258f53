"""Tables for a terminal."""

import io
import random

import pytest
from rich.console import Console

from analysis.tables import table
from analysis.tables.table import Column, Row, rich_table, verdict_style

COLUMNS: list[Column[Row]] = [
    Column("arm", lambda row: str(row["arm"]), "left"),
    Column("effect", lambda row: f"{row['effect']:.4f}"),
    Column("p", lambda row: f"{row['effect']:.9f}", spare=1),
    Column(
        "verdict",
        lambda row: str(row["verdict"]),
        "left",
        style=lambda row: verdict_style(row["verdict"]),
    ),
]
VERDICTS = ("better", "undecided (+46)", "negligible (real), 12 diverged, 3 failed *", "")
NAMES = ("a", "clip", "früh--清洗", "清洗" * 9, "b" * 64, "two\nlines", "")


def printed(rows: list[Row], width: int) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True)
    with console.capture() as captured:
        console.print(rich_table(COLUMNS, rows, width))
    return captured.get()


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("longest", [1, 3, len(NAMES)])
def test_a_row_looks_the_same_laid_out_alone_or_in_a_group(
    width: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pick = random.Random(longest)
    rows = [
        {"arm": pick.choice(NAMES[:longest]), "effect": pick.gauss(), "verdict": verdict}
        for verdict in pick.choices(VERDICTS, k=40)
    ]
    together = printed(rows, width)
    monkeypatch.setattr(
        table, "_group_one_line_rows", lambda _columns, rows: [[row] for row in rows]
    )
    assert together == printed(rows, width)
