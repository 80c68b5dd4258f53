"""Distinct seeds with bit-identical losses are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.noise.measure import measure_noise
from sweep.noise.runs import imported_runs
from sweep.reports.noise_text import summary_lines
from tests.sweep.importer import Importer, csv

LOSSES = (3.512345, 3.498761, 3.503219, 3.521177)


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def rows(clip: tuple[float, ...]) -> list[tuple[object, ...]]:
    arms = {"baseline": LOSSES, "clip": clip}
    return [(arm, s, loss) for arm, losses in arms.items() for s, loss in enumerate(losses, 1)]


def test_a_run_under_two_seeds_is_named_in_the_report(importer: Importer) -> None:
    importer(csv(rows((3.412345, 3.398761, 3.412345, 3.421177))))
    line = "Bit-identical losses of distinct seeds: clip seeds 1 and 3 (3.412345). Either"
    assert line in importer.table()
    (found,) = importer.report()["equal_losses"]
    assert found == {"arm": "clip", "seeds": [1, 3], "loss": 3.412345}


def test_equal_losses_of_an_arm_and_the_baseline_are_no_such_thing(importer: Importer) -> None:
    importer(csv(rows(LOSSES)))
    assert "Bit-identical" not in importer.table()
    assert importer.report()["equal_losses"] == []


def test_the_noise_of_runs_under_two_seeds_is_said_to_be_too_small(importer: Importer) -> None:
    rows = [("baseline", s, loss) for s, loss in enumerate((*LOSSES, LOSSES[0]), 1)]
    importer(csv(rows))
    with importer.workspace.open() as store:
        found = measure_noise(imported_runs(store, store.study("x")))
    assert found.as_json()["n_equal"] == 2
    assert any(
        "2 runs with distinct seeds have bit-identical losses" in x for x in summary_lines(found)
    )
