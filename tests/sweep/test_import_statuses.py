"""Import of statuses, crashes, missing losses and nested runs as trackers write them."""

from __future__ import annotations

import pytest

from sweep.errors import ResultsError
from sweep.importing.rules import Rules, parse_statuses
from sweep.store.states import RunState
from tests.sweep.importer import Importer

TSV = """\
commit\tval_bpb\tstatus\tdescription
a1\t0.9979\tkeep\tbaseline
a2\t0.9981\tdiscard\tbaseline
b1\t0.0000\tcrash\twide
"""
TSV_COLUMNS = {"arm": "description", "loss": "val_bpb"}


def states(importer: Importer) -> list[str]:
    return [run["state"].value for run in importer.runs()]


def test_a_crash_with_a_loss_of_0_has_failed_if_its_status_says_so(importer: Importer) -> None:
    importer(TSV, "r.tsv", columns=TSV_COLUMNS)
    assert states(importer) == ["done", "done", "failed"]


def test_a_loss_of_0_is_asked_about_if_the_status_is_passed_over(importer: Importer) -> None:
    columns = {**TSV_COLUMNS, "status": "-"}
    with pytest.raises(ResultsError, match="row 3 has a loss of exactly 0"):
        importer(TSV, "r.tsv", columns=columns)
    importer(TSV, "r.tsv", columns=columns, rules=Rules(zero_loss=RunState.FAILED))
    assert states(importer) == ["done", "done", "failed"]


def test_a_loss_of_0_among_losses_near_0_is_a_loss(importer: Importer) -> None:
    importer("arm,loss\nbaseline,-0.5\nbaseline,0.25\nclip,0\n")
    assert states(importer) == ["done"] * 3


@pytest.mark.parametrize(
    ("word", "state"),
    [
        *(("FAIL", "failed"), ("PRUNED", "failed"), ("TrialState.COMPLETE", "done")),
        *(("UNFINISHED", "failed"), ("OUT_OF_MEMORY", "failed"), ("Out Of Memory", "failed")),
        *(("CANCELLED by 1000", "failed"), ("INTERRUPTED", "failed"), ("keep", "done")),
    ],
)
def test_words_of_other_trackers_are_known(importer: Importer, word: str, state: str) -> None:
    importer(f"arm,seed,loss,status\nbaseline,1,3.4,done\nx,1,3.3,{word}\n")
    assert states(importer) == ["done", state]


def test_a_terminated_run_is_done_with_a_loss_and_failed_without(importer: Importer) -> None:
    rows = "baseline,1,3.4,TERMINATED\nx,1,,terminated\nx,2,3.3,completed\n"
    said = importer(f"arm,seed,loss,status\n{rows}")
    assert states(importer) == ["done", "failed", "done"]
    assert "1 run with the status 'terminated' and a loss, counted as done" in said


def test_a_status_gets_the_meaning_that_the_command_gives_it(importer: Importer) -> None:
    rows = "baseline,1,3.4,Good One\nx,1,3.3,terminated\nx,2,,todo\n"
    content = f"arm,seed,loss,status\n{rows}"
    words = ["Good One=done", "TERMINATED=failed", "todo=skip"]
    said = importer(content, rules=Rules(statuses=parse_statuses(words)))
    assert states(importer) == ["done", "failed"]
    assert "1 run with a status to skip, left out: row 3." in said


@pytest.mark.parametrize("word", ["done", "=done", "a=", "a=dnoe"])
def test_a_meaning_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(ResultsError, match="write WORD=MEANING"):
        parse_statuses([word])


def test_an_unknown_status_names_the_options_that_help(importer: Importer) -> None:
    with pytest.raises(ResultsError) as error:
        importer("arm,loss,status\nbaseline,1,odd\n")
    assert "--status odd=done|failed|diverged|running|skip" in str(error.value)
    assert "--column status=-" in str(error.value)


def test_parents_of_nested_runs_are_left_out(importer: Importer) -> None:
    rows = "a1,FINISHED,3.41,1,p1,baseline\na2,FINISHED,3.4,2,p1,baseline\n"
    more = "p1,FINISHED,,,,baseline\nb1,FINISHED,3.38,1,p2,poly\n"
    head = "run_id,status,metrics.val_loss,params.seed,tags.mlflow.parentRunId,tags.mlflow.runName"
    said = importer(f"{head}\n{rows}{more}")
    assert states(importer) == ["done"] * 3
    assert "1 run listed as the parent of nested runs, left out: row 3." in said


def test_a_finished_run_without_a_loss_has_failed_and_not_diverged(importer: Importer) -> None:
    importer("arm,seed,loss\nbaseline,1,3.4\nbaseline,2,\nx,1,nan\n")
    assert states(importer) == ["done", "failed", "diverged"]


def test_a_run_without_a_loss_that_an_earlier_version_called_diverged_is_known(
    importer: Importer,
) -> None:
    content = "arm,seed,loss\nbaseline,1,3.4\nbaseline,2,{}\nx,1,3.3\n"
    importer(content.format("nan"))
    assert importer(content.format("")).startswith("x: nothing new; all 3 runs of ")


@pytest.mark.parametrize("loss", ["999", "9999", "1e9"])
def test_a_loss_far_above_all_others_is_asked_about(importer: Importer, loss: str) -> None:
    content = f"arm,seed,loss\nbaseline,1,3.4\nbaseline,2,3.5\nclip,1,3.3\nclip,2,{loss}\n"
    with pytest.raises(
        ResultsError, match=r"row 4 has a loss far above.* Add --large-loss failed, or"
    ):
        importer(content)
    importer(content, rules=Rules(large_loss=RunState.FAILED))
    assert importer.arms()["clip"]["n_done"] == 1
