"""Exact reruns in imported files: a check of the hardware, never evidence."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.errors import ResultsError
from sweep.importing.rules import Rules
from tests.sweep.importer import PAIRED, Importer, csv
from tests.sweep.said import content

Run = Callable[..., "subprocess.CompletedProcess[str]"]
RERUNS = Rules(reruns=True)


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def test_later_rows_of_a_run_are_exact_reruns_and_no_further_runs(importer: Importer) -> None:
    rows = [*PAIRED, ("baseline", 2, 2.52), ("clip", 1, 2.4115)]
    said = importer(csv(rows), rules=RERUNS)
    assert "8 runs imported" in said
    assert "2 rows are exact reruns: no further evidence; `sweep noise` compares." in said
    assert len(importer.runs()) == 8
    assert importer.arms()["clip"]["n_done"] == 4
    with importer.workspace.open() as store:
        differences = sorted(store.rerun_differences("x"))
    assert differences == pytest.approx([0.0, 2.4115 - 2.411], abs=1e-12)


def test_the_same_file_again_adds_no_rerun_and_changes_no_run(importer: Importer) -> None:
    file = csv([*PAIRED, ("baseline", 2, 2.5201)])
    importer(file, rules=RERUNS)
    said = importer(file, rules=RERUNS)
    assert "nothing new; all 8 runs" in said
    with importer.workspace.open() as store:
        assert len(store.rerun_differences("x")) == 1


def test_two_rows_of_a_run_that_differ_are_refused_with_the_option_for_reruns(
    importer: Importer,
) -> None:
    with pytest.raises(ResultsError, match="or --reruns if the later one is an exact rerun"):
        importer(csv([*PAIRED, ("baseline", 2, 2.5201)]))


def test_reruns_in_a_file_with_steps_are_refused(importer: Importer) -> None:
    rows = [("baseline", 1, 1, 3.0), ("baseline", 1, 2, 2.9), ("clip", 1, 2, 2.8)]
    with pytest.raises(ResultsError, match=r"--reruns: .* has steps, and rows of a run cannot"):
        importer(csv(rows, "arm,seed,step,loss"), rules=RERUNS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("again", "sentence"),
    [
        ("2.52", "One seed run again: bit-identical, so all of this is the seeds."),
        ("2.5203", "One seed run again differs by +3.00e-04: the hardware's own noise."),
    ],
)
def test_the_noise_of_one_imported_arm_says_whether_its_reruns_agree(
    tmp_path: Path, sweep: Run, again: str, sentence: str
) -> None:
    rows = [("plain", s, loss) for s, loss in enumerate(("2.51", "2.52", "2.49"), 1)]
    (tmp_path / "r.csv").write_text(csv([*rows, ("plain", 2, again)]))
    assert sweep(tmp_path, "import", "r.csv", "--study", "x", "--reruns").returncode == 0
    done = sweep(tmp_path, "noise", "x")
    assert sentence in done.stdout
    found = content(sweep(tmp_path, "noise", "x", "--format", "json"))
    assert found["n"] == 3
    assert found["rerun"]["identical"] == (again == "2.52")
    json.dumps(found)
