"""`sweep report --details`: further tests below the table and in the JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweep.commands.report import ReportRequest, report
from sweep.workspace import Workspace
from tests.sweep.importer import Importer

RUNS = "arm,seed,loss\n" + "".join(
    f"{arm},{seed},{loss + seed / 1000 + (seed * 7 % 5) * tilt}\n"
    for arm, loss, tilt in (("baseline", 3.30, 0.0), ("new", 3.27, 1e-4), ("[b]odd", 3.3, 2e-4))
    for seed in range(1, 6)
)


def printed(workspace: Workspace, **request: Any) -> str:  # noqa: ANN401
    """What the command prints on a terminal of 80 columns."""
    file = io.StringIO()
    console = Console(file=file, width=80, markup=False, highlight=False)
    assert report(workspace, ReportRequest(study="x", **request), console) == 0
    return file.getvalue()


def test_details_are_below_the_table_and_fit_into_80_columns(importer: Importer) -> None:
    importer(RUNS)
    text = printed(importer.workspace, details=True)
    for words in (
        "p below 0  p above 0  Mann-Whitney  permutation",
        "90% interval",
        "Dunnett 95%",
        "hochberg  hommel      bh      by",
        "Brown and Forsythe's test of equal spreads of losses: F(2, 12) = ",
        "The order in which runs ended is unknown",
    ):
        assert words in text
    tables = [line for line in text.splitlines() if line.startswith(" ")]
    assert max(map(len, tables)) <= 80
    assert "Mann-Whitney" not in printed(importer.workspace)


def test_the_json_has_details_without_being_asked(importer: Importer) -> None:
    importer(RUNS)
    found = json.loads(printed(importer.workspace, form="json"))["details"]
    new, _ = found["arms"]
    assert new["arm"] == "new"
    assert new["p_mann_whitney"] == pytest.approx(2 / 252)
    assert new["p_adjusted_by"].keys() >= {"holm", "hochberg", "hommel", "bh", "by"}
    assert found["run_order"] is None


@pytest.mark.parametrize("form", ["md", "latex"])
def test_every_format_for_people_takes_details(importer: Importer, form: Any) -> None:  # noqa: ANN401
    importer(RUNS)
    assert "Mann-Whitney" in printed(importer.workspace, form=form, details=True)


def test_details_are_written_to_a_file(importer: Importer, tmp_path: Path) -> None:
    importer(RUNS)
    file = tmp_path / "details.md"
    printed(importer.workspace, form="md", output=file, details=True)
    assert "Dunnett" in file.read_text()
