"""Import of an export that was taken again later: what had not ended is updated."""

from __future__ import annotations

import pytest

from sweep.errors import ResultsError
from sweep.importing.rules import Rules
from sweep.store.states import RunState
from tests.sweep.importer import Importer

FIRST = """\
arm,seed,loss,status
baseline,1,2.5,done
baseline,2,2.6,done
clip,1,2.4,done
clip,2,3.9,running
clip,3,,pending
"""
LATER = """\
arm,seed,loss,status,lr
baseline,1,2.5,done,1
baseline,2,2.6,done,1
baseline,3,2.7,done,1
clip,1,2.4,done,1
clip,2,2.45,done,1
clip,3,,crashed,1
bias,1,2.3,done,1
"""
REPLACE = Rules(replace=True)


def losses(importer: Importer) -> dict[tuple[str, int], float | None]:
    return {(run["arm"], run["seed"]): run["test_loss"] for run in importer.runs()}


def test_a_later_export_updates_what_had_not_ended_and_adds_what_is_new(importer: Importer) -> None:
    importer(FIRST)
    assert importer(LATER).startswith("x: 2 runs imported from ")
    assert losses(importer) == {
        ("baseline", 1): 2.5,
        ("baseline", 2): 2.6,
        ("baseline", 3): 2.7,
        ("clip", 1): 2.4,
        ("clip", 2): 2.45,
        ("clip", 3): None,
        ("bias", 1): 2.3,
    }
    (failed,) = (run for run in importer.runs() if run["state"] is RunState.FAILED)
    assert (failed["cause"], failed["further"]) == ("its status was crashed", {"lr": "1"})
    assert "replaced" not in importer.table()


def test_what_an_import_did_is_told(importer: Importer) -> None:
    importer(FIRST)
    said = importer(LATER)
    assert ", 2 had ended since the last import, 3 more were there already; the study has" in said


@pytest.mark.parametrize("content", [FIRST, LATER])
def test_the_same_file_again_changes_nothing(importer: Importer, content: str) -> None:
    importer(content)
    before, plan = importer.runs(), importer.report()["plan_hash"]
    assert importer(content).startswith("x: nothing new; all ")
    assert importer(content, rules=REPLACE).startswith("x: nothing new; all ")
    assert (importer.runs(), importer.report()["plan_hash"]) == (before, plan)


def test_a_finished_run_with_another_loss_is_refused_with_its_name(importer: Importer) -> None:
    importer(FIRST)
    changed = LATER.replace("2.5,", "2.55,").replace("2.4,", "2.44,")
    before = importer.runs()
    with pytest.raises(ResultsError) as error:
        importer(changed)
    assert (
        "2 runs of study 'x' had ended with another result: row 1 gives arm 'baseline', seed 1 loss "
        "2.55, and the study has it with loss 2.5; row 4 gives arm 'clip', seed 1 loss 2.44, and the "
        "study has it with loss 2.4. Correct the file, replace them with --replace, or choose"
    ) in str(error.value)
    assert importer.runs() == before


def test_replaced_results_are_in_the_history_of_the_plan(importer: Importer) -> None:
    importer(FIRST)
    importer(LATER.replace("2.4,", "2.44,"), rules=REPLACE)
    assert losses(importer)["clip", 1] == 2.44
    table = importer.table()
    assert "replaced none → arm 'clip', seed 1: loss 2.4 → loss 2.44" in table
    importer(LATER.replace("2.4,", "2.44,"))
    assert importer.table() == table


def test_an_older_export_does_not_take_results_back(importer: Importer) -> None:
    importer(LATER)
    with pytest.raises(ResultsError, match=r"no result yet, and the study has it with loss 2\.45"):
        importer(FIRST.replace("clip,3,,pending", ""))


def test_a_run_that_has_logged_further_steps_had_not_ended(importer: Importer) -> None:
    steps = "arm,seed,step,loss\nbaseline,1,1,3\nclip,1,1,2.9\n"
    importer(steps)
    importer(steps + "baseline,1,2,2.8\nclip,1,2,2.7\n")
    assert losses(importer) == {("baseline", 1): 2.8, ("clip", 1): 2.7}
    with pytest.raises(ResultsError, match="with --replace"):
        importer(steps)


def test_a_run_that_an_earlier_version_called_failed_is_known_while_it_runs(
    importer: Importer,
) -> None:
    importer(FIRST.replace("pending", "failed"))
    assert importer(FIRST).startswith("x: nothing new; all 5 runs")
