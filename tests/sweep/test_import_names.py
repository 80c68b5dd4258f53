"""Arms with long names: 200 characters are imported, stored and shown."""

from __future__ import annotations

import subprocess
import sys
from itertools import takewhile
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from rich.cells import cell_len
from sqlalchemy import create_engine
from typer.testing import CliRunner

from sweep.cli import app
from tests.sweep import postgres
from tests.sweep.importer import PAIRED, Importer, csv

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import URL

LONG = ("lr=3e-4 wd=0.1 " + "😀|pipe*star*[b]x[/b]_under_ " * 9)[:199]
NAMES = ["baseline", LONG + "A", LONG + "B", "学" * 200]
CONTENT = csv(
    [
        (f'"{arm}"', seed, 3.4 + seed * (i + 1) / 1000)
        for i, arm in enumerate(NAMES)
        for seed in (1, 2)
    ]
)


def test_names_of_200_characters_are_kept_whole(importer: Importer) -> None:
    importer(CONTENT)
    assert list(importer.arms()) == NAMES


@pytest.mark.parametrize("command", ["report", "noise"])
def test_tables_of_them_fit_80_columns_in_few_lines(importer: Importer, command: str) -> None:
    importer(CONTENT)
    folder = str(importer.folder / "runs")
    said = CliRunner(env={"COLUMNS": "80"}).invoke(app, [command, "x", "--runs", folder])
    lines = said.output.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(" arm "))
    table = list(takewhile(str.strip, lines[first:]))
    assert max(map(cell_len, table)) <= 80
    assert len(table) <= 3 + 3 * 5
    assert sum("…" in line for line in table) >= 3
    assert "A " in "".join(table)
    assert "B " in "".join(table)


def test_sentences_have_them_cut_and_different(importer: Importer) -> None:
    importer(CONTENT)
    importer(csv([(f'"{LONG}A"', 9, 3.4), (f'"{LONG}B"', 9, 3.4)]))
    sentences = [line for line in importer.table().splitlines() if line.endswith(".")]
    assert LONG not in "".join(sentences)
    changes = next(line for line in sentences if line.startswith("This is not the plan"))
    assert "A: runs 2 → 3" in changes
    assert "B: runs 2 → 3" in changes


def test_the_answers_about_a_margin_and_a_target_leave_room_for_the_arm(importer: Importer) -> None:
    importer(csv(PAIRED), margin=0.005, target=3.0)
    folder = str(importer.folder / "runs")
    said = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["report", "x", "--runs", folder])
    row = next(line for line in said.output.splitlines() if line.startswith(" clip "))
    assert "undecided" in row or "better" in row
    assert "  p margin  p target" in said.output
    assert " baseline " in said.output


def test_the_status_of_them_has_a_line_of_80_columns_for_each(importer: Importer) -> None:
    importer(CONTENT)
    folder = str(importer.folder / "runs")
    said = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["status", "x", "--runs", folder])
    assert "running   queued   diverged   failed" in said.output
    rows = [line for line in said.output.splitlines() if line.strip().endswith("·")]
    assert len(rows) == len(NAMES) + 1
    assert max(map(cell_len, rows)) <= 80
    assert all(row.split()[-5] == "2" for row in rows[:-1])


@pytest.mark.nightly
def test_an_empty_postgres_database_takes_them_and_one_of_an_older_version_gets_room(
    postgres_server: URL, tmp_path: Path
) -> None:
    short = tmp_path / "short.csv"
    short.write_text(csv([("baseline", 1, 3.4), ("a", 1, 3.5)]))
    file = tmp_path / "long.csv"
    file.write_text(CONTENT)
    with postgres.database(postgres_server, f"t{uuid4().hex}") as url:
        options = ["--db", url.render_as_string(hide_password=False), "--runs", str(tmp_path)]

        def sweep(*words: str) -> str:
            command = [sys.executable, "-m", "sweep", *words, *options]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        sweep("import", str(short), "--study", "s")
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE arms ALTER COLUMN name TYPE VARCHAR(64)")
        engine.dispose()
        sweep("import", str(file), "--study", "x")
        assert LONG + "B" in sweep("report", "x", "--format", "csv")
