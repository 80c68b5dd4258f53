"""The options of an import that say what columns and rows mean, alone and together."""

from __future__ import annotations

import pytest

from sweep.errors import ResultsError
from sweep.importing.rules import Rules, parse_rules, parse_statuses
from sweep.metrics.metric import Direction
from sweep.store.states import RunState
from tests.sweep.importer import Importer

GRID = """\
config.lr,config.wd,seed,val_loss,state
1e-3,0.1,1,3.0,done
0.001,.1,2,3.1,done
1e-3,,1,2.8,done
1e-3,,2,2.9,done
"""
TIDY = """\
run_name,tag,step,value
baseline-seed1,train/loss,1,5
baseline-seed1,val/loss,1,5.1
baseline-seed1,val/acc,2,0.4
baseline-seed1,val/loss,2,4.1
clip-seed1,val/loss,1,5
clip-seed1,val/acc,2,0.5
"""


def losses(importer: Importer) -> dict[tuple[str, int], float | None]:
    return {(run["arm"], run["seed"]): run["test_loss"] for run in importer.runs()}


def refusal(importer: Importer, content: str, **request: object) -> list[str]:
    """Return the lines of the error that refuses an import."""
    with pytest.raises(ResultsError) as error:
        importer(content, **request)  # type: ignore[arg-type]
    return str(error.value).splitlines()


def test_an_arm_is_made_of_several_columns(importer: Importer) -> None:
    said = importer(GRID, columns={"arm": "config.lr,config.wd"}, baseline="lr=0.001 wd=0.1")
    assert list(losses(importer)) == [
        *(("lr=1e-3 wd=0.1", seed) for seed in (1, 2)),
        *(("lr=1e-3", seed) for seed in (1, 2)),
    ]
    assert "'lr=0.001 wd=.1' is 'lr=1e-3 wd=0.1'" in said


def test_a_part_of_an_arm_that_is_no_column_is_named(importer: Importer) -> None:
    (line,) = refusal(importer, GRID, columns={"arm": "config.lr,config.dw"})
    assert "has no column 'config.dw' for arm; did you mean 'config.wd'?" in line


def test_a_column_with_a_comma_in_its_name_is_one_column(importer: Importer) -> None:
    importer('"a,b",loss\nbaseline,1\nclip,2\n', columns={"arm": "a,b"})
    assert list(importer.arms()) == ["baseline", "clip"]


def test_numbers_written_in_two_ways_are_one_arm_in_a_later_import_too(
    importer: Importer,
) -> None:
    importer("arm,loss\nlr=1e-3,1\nlr=1e-2,2\n", baseline="lr=0.001")
    importer("arm,loss\nlr=0.0010,1\nlr=1e-2,2\nlr=0.01,3\n")
    assert {arm: row["n_done"] for arm, row in importer.arms().items()} == {
        "lr=1e-3": 1,
        "lr=1e-2": 2,
    }


def test_a_field_can_be_passed_over(importer: Importer) -> None:
    content = "arm,seed,loss,status\nbaseline,1,2,odd\nclip,1,1,odd\nclip,1,3,odd\n"
    importer(content, columns={"status": "-", "seed": "-"})
    assert {arm: row["n_done"] for arm, row in importer.arms().items()} == {
        "baseline": 1,
        "clip": 2,
    }


def test_a_table_with_a_row_for_each_metric_is_asked_about(importer: Importer) -> None:
    (line,) = refusal(importer, TIDY)
    assert (
        "has a row for each metric, which 'tag' names: 'train/loss', 'val/loss', 'val/acc';" in line
    )
    assert "choose one with --where tag=val/loss" in line


def test_the_rows_of_one_metric_are_selected(importer: Importer) -> None:
    importer(TIDY, rules=Rules(where=["tag=val/loss"]))
    assert losses(importer) == {("baseline", 1): 4.1, ("clip", 1): 5.0}
    assert importer.report()["metric"] == "val/loss"


def test_conditions_on_several_columns_hold_together_and_numbers_are_compared_by_value(
    importer: Importer,
) -> None:
    importer(TIDY, rules=Rules(where=["tag=val/loss", "step=1.0"]))
    assert losses(importer) == {("baseline", 1): 5.1, ("clip", 1): 5.0}


def test_a_selected_accuracy_needs_its_direction(importer: Importer) -> None:
    (line,) = refusal(importer, TIDY, rules=Rules(where=["tag=val/acc"]))
    assert "'val/acc' seems to be better when it is higher; add --higher-is-better" in line
    importer(TIDY, rules=Rules(where=["tag=val/acc"]), direction=Direction.MAXIMIZE)
    assert losses(importer) == {("baseline", 1): 0.4, ("clip", 1): 0.5}


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("tga=val/loss", "has no column 'tga' for --where tga=val/loss; did you mean 'tag'?"),
        (
            "tag=val/los",
            "no row has 'val/los' in 'tag'; did you mean 'val/loss'? (there are: 'train",
        ),
    ],
)
def test_a_condition_that_selects_nothing_is_refused(
    importer: Importer, where: str, sentence: str
) -> None:
    (line,) = refusal(importer, TIDY, rules=Rules(where=[where]))
    assert sentence in line


def test_a_condition_has_a_column_and_a_value() -> None:
    for word in ("tag", "=x"):
        with pytest.raises(ResultsError, match="write COLUMN=VALUE"):
            parse_rules([], [word], {}, None)


def test_a_run_that_had_not_ended_has_no_result(importer: Importer) -> None:
    content = "arm,seed,loss,status\nbaseline,1,2,done\nclip,1,1,running\nclip,2,3,busy\n"
    importer(content, rules=Rules(statuses=parse_statuses(["busy=running"])))
    assert [run["state"] for run in importer.runs()] == [RunState.DONE, *[RunState.CANCELLED] * 2]
    assert importer.arms()["clip"]["n_missing"] == 2
    assert "2 runs had not ended when the file was exported" in importer.table()


def test_all_questions_are_asked_at_once_and_one_command_answers_them(importer: Importer) -> None:
    content = "cfg,score,Status\nbase,0.5,odd\nbase,0.6,weird\nclip,-1,done\nclip,0.6,done\n"
    lines = refusal(importer, content)
    assert "--column arm=COLUMN or --column arm=lr,wd for one made of several" in lines[0]
    assert "--column loss=score --higher-is-better (it has: 'cfg', 'score'" in lines[1]
    columns = {"arm": "cfg", "loss": "score"}
    lines = refusal(importer, content, columns=columns)
    remedies = (
        "--higher-is-better",
        "--status odd=done|",
        "--negative-loss failed",
        "--baseline NAME",
    )
    assert len(lines) == len(remedies)
    assert all(remedy in line for remedy, line in zip(remedies, lines, strict=True))
    rules = parse_rules(["odd=done", "weird=skip"], [], {"negative_loss": "failed"}, None)
    importer(content, columns=columns, rules=rules, direction=Direction.MAXIMIZE, baseline="base")
    assert [run["state"].value for run in importer.runs()] == ["done", "failed", "done"]
