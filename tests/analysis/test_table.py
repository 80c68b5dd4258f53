"""Tables for a terminal."""

import csv
import io
import random

import pytest
from rich.console import Console

from analysis.tables import table
from analysis.tables.table import Column, Row, csv_table, rich_table, verdict_style

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


@pytest.mark.parametrize("word", ["=1+1", "+a", "-a", "@SUM(A1)", "\t=1", " =1", "＝1", "--1"])
def test_a_text_that_a_spreadsheet_would_run_is_marked_as_text(word: str) -> None:
    [row] = csv.DictReader(io.StringIO(csv_table([{"arm": word, "n": 1}])))
    assert row["arm"] == f"'{word}"


@pytest.mark.parametrize("value", [-0.5, +0.01, -3, "-0.5", "+0.01", "-1e-3", "a=b", "x-y"])
def test_numbers_and_other_texts_are_written_as_they_are(value: float | str) -> None:
    [row] = csv.DictReader(io.StringIO(csv_table([{"effect": value, "n": 1}])))
    assert row["effect"] == str(value)


def test_a_table_that_is_too_wide_wraps_verdicts_between_words_before_names() -> None:
    rows = [("weight-decay-0.337", "+0.0050, +0.0113", "worse, may be too small to matter")]
    columns = [
        Column("arm", lambda row: row[0], "left"),
        Column("interval", lambda row: row[1]),
        Column("verdict", lambda row: row[2], "left"),
    ]
    console = Console(width=60, file=io.StringIO())
    with console.capture() as said:
        console.print(rich_table(columns, rows, 60))
    *_, first, second, _ = said.get().splitlines()
    assert first.split("  ")[0].strip() == "weight-decay-0.337"
    assert (first.rstrip().endswith("too"), second.strip()) == (True, "small to matter")


@pytest.mark.parametrize("width", [80, 200])
def test_one_line_of_text_is_cut_at_the_end_where_the_terminal_is_too_narrow(width: int) -> None:
    columns = [
        Column[tuple[float, str]]("difference", lambda row: f"{row[0]:+.4f}"),
        Column[tuple[float, str]]("begins with", lambda row: row[1], "left", is_cut=True),
    ]
    rows = [(0.0312, "some words " * 9), (0.0112, "short")]
    seen = io.StringIO()
    console = Console(file=seen, width=width)
    console.print(rich_table(columns, rows, width))
    lines = [line.rstrip() for line in seen.getvalue().splitlines() if line.strip()]
    assert len(lines) == 4
    assert all(len(line) <= width for line in lines)
    assert lines[2].endswith("…") == (width == 80)
    assert "+0.0312" in lines[2]
