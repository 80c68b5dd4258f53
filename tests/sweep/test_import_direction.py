"""Import of metrics that are better when they are higher."""

from __future__ import annotations

import pytest
from rich.console import Console

from sweep.commands.stack import StackRequest, stack
from sweep.errors import ResultsError
from sweep.importing.rules import Rules
from sweep.metrics.metric import Direction
from sweep.metrics.names import direction_of_name
from sweep.store.states import RunState
from tests.sweep.importer import Importer

ACCURACY = """\
arm,seed,accuracy,loss
baseline,1,0.81,2.1
baseline,2,0.80,2.2
baseline,3,0.82,2.3
good,1,0.86,2.2
good,2,0.855,2.3
good,3,0.87,2.4
best,1,0.96,2.2
best,2,0.955,2.3
best,3,0.97,2.4
"""
COLUMN = {"loss": "accuracy"}
HIGHER, LOWER = Direction.MAXIMIZE, Direction.MINIMIZE


@pytest.mark.parametrize(
    ("names", "direction"),
    [
        ("accuracy test_acc evalAccuracy f1 F1 bleu BLEU auc rougeL win_rate winRate mfu", HIGHER),
        ("reward episode/return score tokens_per_second tok/s gsm8k pass@1 top-5 r2 mAP", HIGHER),
        ("log_likelihood negative_loss neg_wer 1-shot_accuracy", HIGHER),
        ("loss eval_loss ppl perplexity val_bpb wer error_rate nll mse accuracy_error", LOWER),
        ("negative_log_likelihood 1-accuracy one_minus_auc neg_reward crossEntropy", LOWER),
        ("value metric objective eval/thing values_0", None),
    ],
)
def test_names_tell_the_direction_of_a_metric(names: str, direction: Direction | None) -> None:
    assert {name: direction_of_name(name) for name in names.split()} == dict.fromkeys(
        names.split(), direction
    )


def test_a_higher_accuracy_is_better_and_effects_keep_their_signs(importer: Importer) -> None:
    importer(ACCURACY, columns=COLUMN, direction=HIGHER)
    report, table = importer.report(), importer.table()
    assert (report["metric"], report["direction"]) == ("accuracy", "maximize")
    assert {arm["verdict"] for arm in report["arms"][1:]} == {"better"}
    assert report["arms"][1]["effect"] == pytest.approx(0.051666, abs=1e-5)
    assert "effect = arm − baseline in 'accuracy'; positive is better." in table
    assert "lower" not in table
    assert "negative" not in table


def test_a_loss_is_better_when_lower_and_the_report_says_so(importer: Importer) -> None:
    importer(ACCURACY, columns={"loss": "loss"})
    report = importer.report()
    assert (report["metric"], report["direction"]) == ("loss", "minimize")
    assert "negative is better" in importer.table()


def test_a_stack_of_accuracies_has_the_highest_first(importer: Importer) -> None:
    importer(ACCURACY, columns=COLUMN, direction=HIGHER)
    console = Console(width=200, markup=False)
    with console.capture() as said:
        stack(importer.workspace, StackRequest("x", None, None), console, console)
    assert "The stack of x" in said.get()
    assert ": best + good." in said.get()


@pytest.mark.parametrize("name", ["accuracy", "F1", "tokens_per_second", "win_rate"])
def test_a_metric_that_seems_better_when_higher_is_asked_about(
    importer: Importer, name: str
) -> None:
    content = ACCURACY.replace("accuracy", name)
    with pytest.raises(
        ResultsError, match="add --higher-is-better, or --lower-is-better if it is not"
    ):
        importer(content, columns={"loss": name})
    importer(content, columns={"loss": name}, direction=LOWER)
    assert importer.arms()["good"]["verdict"] == "worse"


@pytest.mark.parametrize("name", ["loss", "test_error", "ppl", "val_bpb"])
def test_a_loss_that_is_called_better_when_higher_is_asked_about(
    importer: Importer, name: str
) -> None:
    with pytest.raises(ResultsError, match="leave out --higher-is-better, or rename the column"):
        importer(f"arm,{name}\nbaseline,1\na,2\n", columns={"loss": name}, direction=HIGHER)


def test_a_name_that_says_nothing_is_told_how_it_is_taken(importer: Importer) -> None:
    content, columns = "arm,thing\nbaseline,1\na,2\n", {"loss": "thing"}
    assert "of 'thing' lower is better (otherwise --higher-is-better)." in importer(
        content, columns=columns
    )
    assert "of 'thing' higher is better." in importer(content, columns=columns, direction=HIGHER)
    assert "direction minimize → maximize" in importer.table()


def test_a_later_import_keeps_the_direction(importer: Importer) -> None:
    importer(ACCURACY, columns=COLUMN, direction=HIGHER)
    assert importer(ACCURACY, columns=COLUMN).startswith("x: nothing new;")
    assert importer.report()["direction"] == "maximize"
    with pytest.raises(
        ResultsError, match="compares 'accuracy', where higher is better, and 'loss'"
    ):
        importer(ACCURACY, columns={"loss": "loss"})


def test_an_accuracy_of_0_is_told_and_not_asked_about(importer: Importer) -> None:
    content = ACCURACY + "new,1,0,9\n"
    said = importer(content, columns=COLUMN, direction=HIGHER)
    assert "1 run with a value of exactly 0, counted as done (--zero-loss failed" in said
    failed = Rules(zero_loss=RunState.FAILED)
    with pytest.raises(ResultsError, match="gives arm 'new', seed 1 status failed"):
        importer(content, columns=COLUMN, rules=failed)
