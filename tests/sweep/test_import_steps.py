"""Import of runs that end at different steps."""

from __future__ import annotations

import pytest

from sweep.errors import ResultsError
from sweep.importing.rules import Rules
from tests.sweep.importer import Importer, csv

RUNS = [f"{arm}-seed{seed}" for arm in ("baseline", "clip") for seed in (1, 2, 3)]
PANEL = "\n".join(
    [
        ",".join(["Step", *(f"{run} - val/loss" for run in RUNS)]),
        "100,6.0,6.1,6.05,6.02,6.1,6.03",
        "200,4.01,4.0,4.02,,,",
    ]
)


def test_runs_that_end_at_different_steps_are_told_and_confounded(importer: Importer) -> None:
    said = importer(PANEL)
    assert "'baseline' at 200, 'clip' at 100. To compare them at one step" in said
    assert "--at-step 100." in said
    assert importer.report()["confounders"] == [
        {"arm": "clip", "what": "last step", "value": "100", "baseline": "200", "runs": 3}
    ]
    assert "Confounded by last step, 100 where the baseline has 200: clip (3 runs)." in (
        importer.table()
    )


def test_runs_are_compared_at_the_step_that_is_asked_for(importer: Importer) -> None:
    said = importer(PANEL, rules=Rules(at_step=100))
    assert "end at the same step" not in said
    assert importer.arms()["clip"]["effect"] == pytest.approx(0.0, abs=1e-9)
    assert importer.report()["confounders"] == []


def test_the_step_that_all_runs_count_at_is_told(importer: Importer) -> None:
    rows = "".join(
        f"{arm},{seed},{step},{3 - step / 100}\n"
        for arm in ("baseline", "clip")
        for seed in (1, 2)
        for step in (10, 20)
    )
    said = importer(f"arm,seed,step,loss\n{rows}")
    assert "Each run counts at step 20, its last one unless --step N says another." in said
    assert importer.arms()["clip"]["mean"] == pytest.approx(2.8)


def test_a_run_without_a_loss_at_the_step_has_failed(importer: Importer) -> None:
    importer(PANEL, rules=Rules(at_step=200))
    assert [run["state"].value for run in importer.runs()] == ["done"] * 3 + ["failed"] * 3
    assert {run["cause"] for run in importer.runs()[3:]} == {"it has no loss at step 200"}


def test_a_step_that_no_run_has_is_refused(importer: Importer) -> None:
    with pytest.raises(ResultsError, match="no run has a loss at step 150; its steps are between"):
        importer(PANEL, rules=Rules(at_step=150))
    with pytest.raises(ResultsError, match="--at-step needs a row for each step"):
        importer("arm,loss\nbaseline,1\nclip,2\n", rules=Rules(at_step=1))


def test_runs_that_end_at_the_same_step_are_not_remarked_on(importer: Importer) -> None:
    importer("arm,seed,step,loss\nbaseline,1,5,3\nclip,1,5,2\n")
    assert importer.report()["confounders"] == []


@pytest.mark.parametrize("column", ["last_step", "summary._step", "trainer/global_step", "epochs"])
def test_the_last_step_in_another_column_of_a_run_table_is_a_confounder(
    importer: Importer, column: str
) -> None:
    rows = [("baseline", s, 3.4 + s / 100, 200) for s in (1, 2, 3)]
    rows += [("clip", s, 5.4 + s / 100, 100) for s in (1, 2, 3)]
    said = importer(csv(rows, f"arm,seed,loss,{column}"))
    assert f"By '{column}', the runs do not end at the same step: 'baseline' at 200" in said
    assert "Confounded by last step, 100 where the baseline has 200: clip" in importer.table()


@pytest.mark.parametrize("column", ["config.max_steps", "warmup_steps", "best_step"])
def test_a_setting_of_steps_is_no_last_step(importer: Importer, column: str) -> None:
    rows = [("baseline", 1, 3.4, 200), ("clip", 1, 3.5, 100)]
    assert "same step" not in importer(csv(rows, f"arm,seed,loss,{column}"))


def test_losses_on_several_splits_are_asked_about(importer: Importer) -> None:
    rows = [("baseline", 1, 3.4, "val"), ("baseline", 2, 3.5, "val"), ("clip", 1, 3.3, "test")]
    content = csv(rows, "arm,seed,loss,split")
    with pytest.raises(
        ResultsError, match=r"by 'split': 'val', 'test'.*--where split=val, or take"
    ):
        importer(content)
    both = Rules(where=("split=val", "split=test"))
    assert "3 runs imported" in importer(content, rules=both)
