"""Import of files in other forms: separators, blanks, and numbers written in two ways."""

from __future__ import annotations

import pytest

from analysis.tables.table import csv_table
from tests.sweep.importer import Importer

ROWS = [["arm", "seed", "loss"], ["baseline", "1", "2.5"], ["clip", "1", "2.25"]]


@pytest.mark.parametrize("separator", [",", "\t", ";", ", ", "; ", " ,"])
@pytest.mark.parametrize("name", ["r.csv", "r.tsv"])
def test_cells_may_be_separated_by_comma_tab_or_semicolon(
    importer: Importer, separator: str, name: str
) -> None:
    importer("\n".join(separator.join(row) for row in ROWS), name)
    assert [(r["arm"], r["seed"], r["test_loss"]) for r in importer.runs()] == [
        ("baseline", 1, 2.5),
        ("clip", 1, 2.25),
    ]


def test_a_separator_in_quotation_marks_does_not_count(importer: Importer) -> None:
    importer('arm;loss;"a,b,c,d"\nbaseline;2.5;x\nclip;2.25;y\n')
    assert list(importer.arms()) == ["baseline", "clip"]


def test_numbers_written_in_two_ways_are_one_arm(importer: Importer) -> None:
    rows = [("0.001", 1), ("1e-3", 2), ("1.0E-03", 3), ("lr=0.10", 1), ("lr=.1", 2)]
    said = importer(
        "arm,seed,loss\n" + "".join(f"{a},{s},2.{s}\n" for a, s in rows), baseline="0.001"
    )
    assert {arm: row["n_done"] for arm, row in importer.arms().items()} == {
        "0.001": 3,
        "lr=0.10": 2,
    }
    assert "Numbers written in two ways are one arm: '1e-3' is '0.001', '1.0E-03' is" in said


def test_versions_and_dates_are_no_numbers(importer: Importer) -> None:
    names = ["baseline", "v1.1", "v1.10", "1.2.1", "1.2.10", "2024-01-02", "2024-1-2"]
    importer("arm,loss\n" + "".join(f"{name},2.5\n" for name in names))
    assert list(importer.arms()) == names


def test_names_that_a_csv_report_quoted_for_spreadsheets_come_back(importer: Importer) -> None:
    names = ["baseline", "=1+1", "-wd", "+lr", "@x"]
    records = [{"arm": name, "loss": 2.5} for name in names]
    importer(csv_table(records))
    assert list(importer.arms()) == names
