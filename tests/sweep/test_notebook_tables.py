"""The tables for notebooks have the columns that are documented, with their types."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import sweep
from sweep.commands.import_ import ImportRequest
from sweep.errors import ResultsError
from sweep.importing.factors import parse_factors
from sweep.notebook.columns import TABLES
from sweep.notebook.frame import (
    curves_frame,
    effects_frame,
    noise_frame,
    plan_frame,
    runs_frame,
)
from sweep.notebook.tables import effects_of
from sweep.notebook.worker import FUNCTIONS
from tests.sweep.importer import Importer

ROWS = {"load": 6, "curves": 6 * 16, "effects": 3, "noise": 1, "plan": 3}
"""Rows for a study with three arms, two seeds and 16 steps."""
FRAMES = {
    "load": runs_frame,
    "curves": curves_frame,
    "effects": effects_frame,
    "noise": noise_frame,
    "plan": plan_frame,
}
NOTEBOOK = """
import json, sys
import pandas as pd
import sweep

def kind(column):
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return "time"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "number"
    known = column.dropna()
    return "text" if known.empty else {"dict": "dictionary", "list": "list"}.get(
        type(known.iloc[0]).__name__, "text"
    )

def about(frame):
    return len(frame), {name: kind(frame[name]) for name in frame if frame[name].notna().any()}

json.dump({name: about(getattr(sweep, name)("s.toml")) for name in sys.argv[1:]}, sys.stdout)
"""
Found = dict[str, tuple[int, dict[str, str]]]


@pytest.fixture(scope="module")
def found(folder: Path) -> Found:
    """Rows, and columns with their types, of each table for a notebook beside a study."""
    command = [sys.executable, "-W", "error", "-c", NOTEBOOK, *TABLES]
    return json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_documented_columns_with_their_types(name: str, found: Found) -> None:
    rows, columns = found[name]
    assert rows == ROWS[name]
    documented = {column: kind for column, (kind, _) in TABLES[name].items()}
    assert [column for column in columns if column in documented] == [
        column for column in documented if column in columns
    ]
    assert {
        name: columns[name] for name in documented if name in columns
    }.items() <= documented.items()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_every_documented_column(name: str, folder: Path) -> None:
    frame = FRAMES[name](FUNCTIONS[name](study=None, runs=str(folder / "runs"), db=None))
    assert list(frame.columns[: len(TABLES[name])]) == list(TABLES[name])


def test_every_function_for_notebooks_has_a_table() -> None:
    assert set(TABLES) == set(sweep.__all__) == set(FUNCTIONS)


def test_fields_that_differ_between_runs_are_columns(folder: Path) -> None:
    frame = runs_frame(FUNCTIONS["load"](study="tiny", runs=str(folder / "runs"), db=None))
    assert frame.groupby("arm", sort=False)["model.dropout"].first().tolist() == [0.1, 0.0, 0.1]
    assert "optimizer.clip_norm" in frame
    assert "model.width" not in frame


FACTORIAL = "a,b,seed,loss,host\n" + "\n".join(
    f"{a},{b},{seed},{3 - a / 10 + seed / 100 + b * seed / 1000},h{seed}"
    for a in (0, 1)
    for b in (0, 1)
    for seed in (1, 2, 3)
)


@pytest.fixture
def factorial(importer: Importer, tmp_path: Path) -> dict[str, str | None]:
    """Arguments for the tables of an imported factorial with three seeds."""
    file = tmp_path / "f.csv"
    file.write_text(FACTORIAL)
    importer.request(ImportRequest(files=[file], study="x", factors=parse_factors("a,b")))
    return {"study": "x", "runs": str(tmp_path / "runs"), "db": None}


def test_the_effects_of_a_factorial_are_rows(factorial: dict[str, str | None]) -> None:
    frame = effects_frame(FUNCTIONS["effects"](**factorial))
    assert frame["arm"].tolist() == ["a", "b", "a × b"]
    assert frame["effect"].round(4).tolist() == [-0.1, 0.002, 0.0]
    assert list(frame.columns) == list(TABLES["effects"])


def test_further_columns_of_an_import_are_columns(factorial: dict[str, str | None]) -> None:
    frame = runs_frame(FUNCTIONS["load"](**factorial))
    assert set(frame["host"]) == {"h1", "h2", "h3"}


def test_the_trials_of_a_search_have_no_effects() -> None:
    store = SimpleNamespace(
        study=lambda _: SimpleNamespace(name="x-trials"),
        plan=lambda _: SimpleNamespace(search={"trials": 3}),
    )
    with pytest.raises(ResultsError, match="x-trials has the trials of a search"):
        effects_of(store, None)
