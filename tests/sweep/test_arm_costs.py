"""What each arm costs, beside its verdict: `sweep report --costs`, the page, and `sweep show ARM`."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from sweep.commands.report import ReportRequest, report
from sweep.commands.show import ShowRequest, show
from sweep.verdicts.arm_costs import StudyCosts, find_costs
from sweep.workspace import Workspace
from tests.sweep.importer import Importer
from tests.sweep.stores import ORIGIN, Trainer, changed

Content = dict[str, Any]
SPEEDS = {"baseline": [1000.0, 800.0, 1250.0], "no-dropout": [2000.0, 1000.0, 1250.0]}
"""By arm and seed: tokens per second."""
HERE = {**ORIGIN, "threads": 1}


def outcome(arm: str, seed: int) -> dict[str, Any]:
    """Two runs at a time, of 10 s each, one after the other."""
    speed = SPEEDS.get(arm, [500.0] * 3)[seed - 1]
    began = 1000.0 + 10 * seed + (5 if arm == "clip" else 0)
    times = {"started": began, "first_step": began, "finished": began + 10}
    return {"tokens_per_second": speed, "provenance": HERE, **times}


@pytest.fixture
def three_seeds(content: Content) -> Content:
    return changed(content, "design/seeds", 3)


def costs(train: Trainer) -> StudyCosts:
    return find_costs(train.store, train.store.study("tiny"))


def printed(workspace: Workspace, width: int = 100, **request: Any) -> str:  # noqa: ANN401
    file = io.StringIO()
    console = Console(file=file, width=width, markup=False, highlight=False)
    assert report(workspace, ReportRequest(**request), console) == 0
    return file.getvalue()


def test_time_is_compared_seed_by_seed_and_all_else_is_that_of_the_runs(
    train: Trainer, three_seeds: Content
) -> None:
    train(three_seeds, outcome)
    found = costs(train)
    quick, base = found.arm("no-dropout"), found.arm("baseline")
    assert (quick.time_ratio_low, quick.time_ratio, quick.time_ratio_high) == (0.5, 0.8, 1.0)
    assert (quick.seeds, quick.seeds_elsewhere) == (3, 0)
    assert (base.time_ratio, base.tokens_per_second) == (None, 1000.0)
    assert base.peak_memory_bytes == 1
    assert base.parameters == quick.parameters
    assert base.parameters is not None
    assert base.flops_per_token is not None
    assert base.flops_per_token > 6 * base.parameters / 2  # of the embeddings a token reads a row


def elsewhere(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {**HERE, **fields}


@pytest.mark.parametrize(
    "provenance",
    [
        elsewhere(threads=2),
        elsewhere(device="another"),
        elsewhere(processes=2),
        elsewhere(gpu_share=0.5),
        elsewhere(device=None),
        elsewhere(earlier_attempts=[elsewhere(threads=2)]),
    ],
)
def test_times_on_other_hardware_or_with_other_threads_are_not_compared(
    train: Trainer, three_seeds: Content, provenance: dict[str, Any]
) -> None:
    def some(arm: str, seed: int) -> dict[str, Any]:
        other = {"provenance": provenance} if (arm, seed) == ("no-dropout", 1) else {}
        return {**outcome(arm, seed), **other}

    train(three_seeds, some)
    quick = costs(train).arm("no-dropout")
    assert (quick.seeds, quick.seeds_elsewhere, quick.time_ratio_low) == (2, 1, 0.8)
    said = " ".join(printed(Workspace(train.folder / "runs"), costs=True).split())
    assert "1 pair of runs left out of the times: trained on other hardware" in said


def test_the_table_has_the_costs_beside_the_verdicts_and_says_what_ran_beside(
    train: Trainer, three_seeds: Content
) -> None:
    train(three_seeds, outcome)
    assert costs(train).at_once == 3  # of three arms; the next seed begins as these end
    workspace = Workspace(train.folder / "runs")
    text = printed(workspace, costs=True)
    assert "What each arm costs" not in printed(workspace)
    table = text[text.index("What each arm costs") :]
    row = next(line for line in table.splitlines() if line.startswith(" no-dropout"))
    assert row.split()[1:6] == ["0.80", "0.50", "to", "1.00", "1,250"]
    assert row.split()[-2] == "better"  # with a mark
    assert "Up to 3 runs were trained at the same time" in " ".join(table.split())
    narrow = printed(workspace, width=80, costs=True)
    rows = [line for line in narrow.splitlines() if line.startswith(" ")]
    assert max(map(len, rows)) <= 80


def test_json_and_the_page_have_them_unasked(train: Trainer, three_seeds: Content) -> None:
    train(three_seeds, outcome)
    workspace = Workspace(train.folder / "runs")
    found = json.loads(printed(workspace, form="json"))["costs"]
    assert found["runs_at_once"] == 3
    assert [arm["time_ratio"] for arm in found["arms"]] == [None, 0.8, 2.0]
    page = printed(workspace, form="html", costs=True)
    assert page.count(">What each arm costs</h2>") == 1
    assert "0.50 to 1.00" in page


def test_the_page_of_an_arm_has_its_costs(train: Trainer, three_seeds: Content) -> None:
    train(three_seeds, outcome)
    workspace = Workspace(train.folder / "runs")
    said = {}
    for form in ("table", "json"):
        file = io.StringIO()
        console = Console(file=file, width=200, markup=False, highlight=False)
        show(workspace, ShowRequest("no-dropout", "tiny", form), console)  # type: ignore[arg-type]
        said[form] = file.getvalue()
    words = "0.80 times the baseline's per token (0.50 to 1.00 over 3 seeds); 1,250 tokens/s"
    assert words in said["table"]
    assert json.loads(said["json"])["cost"]["time_ratio"] == 0.8


def test_what_is_unknown_is_left_out(importer: Importer) -> None:
    importer("arm,seed,loss\nbaseline,1,3.0\nbaseline,2,3.1\na,1,2.9\na,2,3.0\n")
    said = printed(importer.workspace, study="x", costs=True)
    assert "No run of the study has recorded its speed, its memory or its parameters." in said
    assert "What each arm costs" not in printed(importer.workspace, study="x", form="html")


def test_the_arms_of_a_factorial_have_costs_and_no_verdicts(
    train: Trainer, three_seeds: Content
) -> None:
    train(changed(three_seeds, "design/kind", "factorial"), outcome)
    text = printed(Workspace(train.folder / "runs"), width=120, costs=True)
    table = text[text.index("What each arm costs") :]
    assert "no-dropout+clip" in table
    assert "verdict" not in table
