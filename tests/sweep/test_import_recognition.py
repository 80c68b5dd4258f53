"""Exports of other tools, statuses and fields are recognised without options."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pandas as pd
import pytest

from sweep.importing.columns import parse_columns
from sweep.importing.fields import OTHER_NAMES, Field, recognise
from sweep.importing.rules import Reading
from sweep.importing.statuses import STATE_OF_WORD, read_states
from sweep.store.states import RunState
from tests.sweep.importer import Importer, csv

Run = Callable[..., subprocess.CompletedProcess[str]]


WANDB = """\
"Name","State","Runtime","lr","seed","loss","test/loss"
"base","finished","60","0.1","1","9","2.5"
"base","finished","60","0.1","2","9","2.625"
"clip","crashed","60","0.1","1","9",""
"clip","finished","60","0.1","2","9","2.25"
"""


PANEL = """\
"Step","base-seed1 - test/loss","base-seed1 - test/loss__MIN","base-seed1 - test/loss__MAX",\
"clip-seed1 - test/loss","clip-seed1 - test/loss__MIN","clip-seed1 - test/loss__MAX"
"1","3.5","3.5","3.5","3.5","3.5","3.5"
"2","2.5","2.5","2.5","","",""
"3","","","","2.25","2.25","2.25"
"""


API = """\
,summary,config,name
0,"{'test/loss': 2.5, '_step': 9, 'x': nan}","{'seed': 1}",base
1,"{'test/loss': nan, '_step': 9}","{'seed': 1}",clip
2,"{'test/loss': 2.25, '_step': 9}","{'seed': 2}",clip
"""


MLFLOW = """\
run_id,experiment_id,status,metrics.test_loss,metrics.loss,params.seed,tags.mlflow.runName
a1,0,FINISHED,2.5,1,1,base
b1,0,FINISHED,2.25,1,1,clip
b2,0,KILLED,,1,2,clip
"""


@pytest.mark.parametrize(
    ("export", "expected"),
    [
        (WANDB, [("base", 1, 2.5), ("base", 2, 2.625), ("clip", 1, None), ("clip", 2, 2.25)]),
        (PANEL, [("base", 1, 2.5), ("clip", 1, 2.25)]),
        (API, [("base", 1, 2.5), ("clip", 1, None), ("clip", 2, 2.25)]),
        (MLFLOW, [("base", 1, 2.5), ("clip", 1, 2.25), ("clip", 2, None)]),
    ],
    ids=["W&B runs", "W&B panel", "W&B API", "MLflow"],
)
def test_exports_of_wandb_and_mlflow_need_no_options(
    importer: Importer, export: str, expected: list[tuple[str, int, float | None]]
) -> None:
    importer(export, baseline="base")
    assert [(r["arm"], r["seed"], r["test_loss"]) for r in importer.runs()] == expected


@pytest.mark.parametrize("word", STATE_OF_WORD)
def test_every_status_word_gives_its_state_in_any_case(word: str) -> None:
    states = read_states(pd.Series(["", word, word.upper()]), Reading(source="r.csv"))
    assert states.tolist() == [RunState.DONE, STATE_OF_WORD[word], STATE_OF_WORD[word]]


@pytest.mark.parametrize("field", Field)
def test_every_field_is_recognised_by_each_of_its_names(field: Field) -> None:
    for name in (field, f"config.{field}", *OTHER_NAMES.get(field, ())):
        assert dict(recognise([name])).get(field) == name
        assert parse_columns([f"{field}={name}"]) == {field: name}


@pytest.mark.parametrize(
    "name", ["Loss", "LOSS", "val_loss", "loss/eval", "devLoss", "metrics.Loss"]
)
def test_a_loss_is_recognised_in_any_case_and_by_the_name_of_its_text(
    importer: Importer, name: str
) -> None:
    said = importer(f"Arm,Seed,train/loss,{name}\nbaseline,1,9,2.5\nclip,1,9,2.25\n")
    assert f"loss from '{name}'" in said
    assert [run["test_loss"] for run in importer.runs()] == [2.5, 2.25]


def test_a_chosen_loss_is_taken_beside_a_test_loss(importer: Importer) -> None:
    content = "arm,seed,loss,eval_loss\nbaseline,1,5,2.5\nclip,1,4,2.25\n"
    importer(content, columns={"loss": "eval_loss"})
    assert [run["test_loss"] for run in importer.runs()] == [2.5, 2.25]


def test_a_long_name_is_kept_whole(importer: Importer) -> None:
    names = [f"Reg-Polynomial_{'x' * 180}_LR-0.000{digit}" for digit in (1, 2)]
    importer(csv([("baseline", 1, 2.5), *((name, 1, 2.25) for name in names)]))
    assert list(importer.arms()) == ["baseline", *names]
