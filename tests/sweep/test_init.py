"""The study that `sweep init` writes, and the table of arms that `sweep plan` prints."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest

from sweep.commands.init import init, study_name
from sweep.forecast.outline import Outline
from sweep.reports.forecast_text import print_arms
from sweep.study.file import load_study
from sweep.terminal.console import SafeConsole
from sweep.workspace import read_plan
from trainer.recipe_forms import RECIPE_FIELDS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("x.toml", "x"),
        ("studies/lr.2.toml", "lr.2"),
        ("my study (2).toml", "my-study-2"),
        ("größe.toml", "größe"),
        ("--x.toml", "x"),
        ("[.toml", "my-study"),
        ("a" * 100 + ".toml", "a" * 64),
    ],
)
def test_a_new_study_is_named_after_its_file(tmp_path: Path, file: str, name: str) -> None:
    path = tmp_path / Path(file).name
    assert study_name(path) == name
    assert init(path, SafeConsole(file=io.StringIO())) == 0
    assert load_study(path).name == name


def test_the_initial_weights_of_a_new_study_suit_its_width(tmp_path: Path) -> None:
    init(tmp_path / "x.toml", SafeConsole(file=io.StringIO()))
    model = load_study(tmp_path / "x.toml").baseline.model
    assert model.init_std == pytest.approx(0.02 * math.sqrt(768 / model.width), rel=0.02)


@pytest.mark.parametrize("width", [40, 72, 80, 100, 200])
def test_the_table_of_arms_breaks_no_name_in_two_at_any_width(width: int) -> None:
    plan = read_plan(ROOT / "studies" / "interventions.toml")
    console = SafeConsole(file=io.StringIO(), width=width)
    with console.capture() as captured:
        print_arms(Outline(plan, None, None), console)
    table = captured.get()
    for arm in plan.arms:
        assert arm.name in table
        for field, value in arm.changes.items():
            assert field in RECIPE_FIELDS
            assert f"{field} =" in table
            assert str(value).lower() in table
    assert max(map(len, table.splitlines())) <= max(width, 72)
