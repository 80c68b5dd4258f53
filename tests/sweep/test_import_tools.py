"""Exports of other tools, each with the columns that the tool writes, are read without options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from sweep.errors import ResultsError
from sweep.importing.fields import Field
from sweep.importing.tools.registry import TOOLS
from tests.sweep.exports import Reader

Rows = list[tuple[str | None, ...]]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def history(loss: float, *, evaluated: bool = True) -> str:
    """The `trainer_state.json` of a run with these losses."""
    log = [
        {"loss": 4.0, "grad_norm": 1.0, "learning_rate": 1e-4, "epoch": 0.5, "step": 50},
        {"eval_loss": loss, "eval_runtime": 1.0, "epoch": 1.0, "step": 100},
        {"train_loss": 3.0, "train_runtime": 9.0, "epoch": 1.0, "step": 100},
    ]
    if not evaluated:
        del log[1]
    return json.dumps({"global_step": 100, "log_history": log, "max_steps": 100}, indent=2)


EXPORTS: dict[str, tuple[Mapping[str, str], Rows]] = {
    "W&B panel": (
        {
            "panel.csv": '"Step","base-seed1 - val/loss","base-seed1 - val/loss__MIN",'
            '"base-seed1 - val/loss__MAX","clip-seed1 - val/loss","clip-seed1 - val/loss__MIN",'
            '"clip-seed1 - val/loss__MAX"\n9,2.5,2.5,2.5,,,\n10,,,,2.25,2.25,2.25\n'
        },
        [("base", "1", "2.5"), ("clip", "1", "2.25")],
    ),
    "W&B API": (
        {
            "runs.csv": "id,name,state,config,summary\n"
            "a1,base,finished,\"{'seed': 1}\",\"{'val/loss': 2.5, '_step': 9}\"\n"
            'a2,clip,finished,"{""seed"": {""value"": 1, ""desc"": null}}","{""val/loss"": 2.25}"\n'
        },
        [("base", "1", "2.5"), ("clip", "1", "2.25")],
    ),
    "MLflow site": (
        {
            "runs.csv": '"Start Time","Duration","Run ID","Name","Source Type","Source Name","User",'
            '"Status","seed","val_loss"\n"2026-01-01","5s","a1","base","LOCAL","t.py","u","FINISHED",'
            '"1","\'-0.5"\n"2026-01-01","5s","a2","clip","LOCAL","t.py","u","FINISHED","1","0.25"\n'
        },
        [("base", "1", "-0.5"), ("clip", "1", "0.25")],
    ),
    "Optuna": (
        {
            "trials.csv": ",number,value,datetime_start,duration,params_lr,params_seed,user_attrs_arm,"
            "state\n0,0,2.5,x,y,0.1,1,base,COMPLETE\n1,1,9,x,y,0.1,1,clip,PRUNED\n"
            "2,2,,x,y,,,,WAITING\n"
        },
        [("base", "1", "2.5"), ("clip", "1", "9")],
    ),
    "Ray Tune": (
        {
            f"exp/train_{trial}/progress.csv": "val_loss,done,training_iteration,trial_id,config/arm,"
            f"config/seed\n9,False,1,{trial},{arm},1\n{loss},True,2,{trial},{arm},1\n"
            for trial, arm, loss in (("t1", "base", 2.5), ("t2", "clip", 2.25))
        },
        [("base", "1", "9"), ("base", "1", "2.5"), ("clip", "1", "9"), ("clip", "1", "2.25")],
    ),
    "Guild": (
        {
            "runs.csv": "run,operation,started,time,status,label,lr,seed,step,train_loss,val_loss\n"
            "a1b2c3d4,train,x,0:10,completed,base,0.1,1,99,2,2.5\n"
            "a1b2c3d5,train,x,0:10,terminated,clip,0.2,1,9,2,2.25\n"
        },
        [("base", "1", "2.5"), ("clip", "1", "2.25")],
    ),
    "TensorBoard CSV": (
        {
            f"tb/run-{arm}-seed1-tag-{tag}.csv": f"Wall time,Step,Value\n1.5,100,{loss}\n"
            for arm, loss in (("base", 2.5), ("clip", 2.25))
            for tag in ("val_loss", "train_loss")
        },
        [("base", "1", "2.5"), ("clip", "1", "2.25")],
    ),
    "TensorBoard splits": (
        {
            f"tb/{arm}-seed1/{split}/scalars.csv": f"step,epoch_loss\n1,{loss}\n"
            for arm, loss in (("base", 2.5), ("clip", 2.25))
            for split in ("train", "validation")
        },
        [("base", "1", "2.5"), ("clip", "1", "2.25")],
    ),
    "Hugging Face": (
        {
            "out/base-seed1/checkpoint-50/trainer_state.json": history(9.0),
            "out/base-seed1/checkpoint-100/trainer_state.json": history(2.5),
            "out/clip-seed1/trainer_state.json": history(2.25),
        },
        [("base", "1", None), ("base", "1", "2.5"), ("clip", "1", None), ("clip", "1", "2.25")],
    ),
    "research loop": (
        {
            "results.tsv": "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
            "a1b2c3d\t0.9979\t44.0\tkeep\tbaseline\nb2c3d4e\t0.0\t0.0\tcrash\tdouble width\n"
        },
        [("baseline", None, "0.9979"), ("double width", None, "0.0")],
    ),
    "history": (
        {
            "history.csv": "run,_step,_runtime,train/loss,val/loss\nbase-seed1,1,2,3,2.5\n"
            "clip-seed1,1,2,3,2.25\n"
        },
        [("base", "1", "2.5"), ("clip", "1", "2.25")],
    ),
    "wide table": (
        {"wide.csv": "seed,baseline,clip\n1,2.5,2.25\n2,2.75,\n"},
        [("baseline", "1", "2.5"), ("baseline", "2", "2.75"), ("clip", "1", "2.25")],
    ),
}
"""By tool: its files, with the columns that it writes, and the runs in them."""


@pytest.mark.parametrize("tool", TOOLS)
def test_the_export_of_every_tool_is_read_as_it_comes(read: Reader, tool: str) -> None:
    files, rows = EXPORTS[tool]
    paths = [read.write(name, text) for name, text in files.items()]
    folder = read.folder / next(iter(files)).partition("/")[0]
    assert read(*(paths if len(paths) == 1 else [folder])) == rows


def panel(axis: str, *columns: str, rows: str) -> str:
    return ",".join(f'"{name}"' for name in (axis, *columns)) + "\n" + rows


@pytest.mark.parametrize(
    ("axis", "step"),
    [("Step", True), ("tokens", True), ("epoch", True), ("Relative Time (Process)", False)],
)
def test_any_first_column_of_a_panel_is_its_axis_and_the_metric_keeps_its_name(
    read: Reader, axis: str, step: bool
) -> None:
    text = panel(axis, "a-seed1 - val/nll", "b-seed1 - val/nll", rows="1,9,9\n2.5,4.1,\n3,,4\n")
    chosen = read.choose(read.write("panel.csv", text))
    assert chosen.names[Field.LOSS] == "val/nll"
    assert chosen.names.get(Field.STEP) == (axis if step else None)
    last = [("a", "1", "4.1"), ("b", "1", "4")]
    assert [row for row in read(read.write("panel.csv", text)) if row[2] != "9"] == last


def test_steps_of_the_runs_of_a_panel_go_before_its_axis(read: Reader) -> None:
    columns = ("a - _step", "a - epoch", "a - val/loss", "b - _step", "b - epoch", "b - val/loss")
    text = panel("epoch", *columns, rows="9,90,9,4.1,80,9,4\n")
    chosen = read.choose(read.write("p.csv", text))
    assert chosen.cells[Field.STEP].tolist() == ["90", "80"]


def test_a_panel_with_a_training_loss_says_so(read: Reader) -> None:
    read(read.write("p.csv", panel("Step", "a - train/loss", rows="1,2\n")))
    assert read.remarks == ["'train/loss' is a loss on the training text, by its name."]


def test_a_panel_whose_last_values_are_means_says_so(read: Reader) -> None:
    columns = [f"a - val/loss{end}" for end in ("", "__MIN", "__MAX")]
    read(read.write("p.csv", panel("Step", *columns, rows="1,2,1,3\n")))
    assert read.remarks[0].startswith("The last value of 'a' is a mean, of several steps or of a")
    read(read.write("p.csv", panel("Step", *columns, rows="1,2,1,3\n2,1,1,1\n")))
    assert read.remarks == []


def test_a_run_of_a_panel_without_a_value_is_a_run_without_a_loss(read: Reader) -> None:
    text = panel("Step", "a - val/loss", "b - val/loss", rows="1,2,\n2,1,\n")
    assert read(read.write("p.csv", text))[-1] == ("b", None, None)


def test_a_table_with_dashes_in_its_names_is_no_panel(read: Reader) -> None:
    text = "arm,val - loss\nbaseline,2.5\n"
    assert read(read.write("r.csv", text), columns={"loss": "val - loss"})[0][0] == "baseline"


def test_a_trial_of_ray_that_was_not_done_while_others_were_is_unfinished(read: Reader) -> None:
    table = "trial_id,training_iteration,done,val_loss,config/arm\nt1,9,{},2,a\nt2,9,False,2,b\n"
    path = read.write("ray.csv", table.format("True"))
    assert read.choose(path).cells[Field.STATUS].tolist() == ["done", "unfinished"]
    path = read.write("ray.csv", table.format("False"))
    assert Field.STATUS not in read.choose(path).cells


def test_a_run_that_guild_terminated_was_killed(read: Reader) -> None:
    path = read.write("g.csv", EXPORTS["Guild"][0]["runs.csv"])
    assert read.choose(path).cells[Field.STATUS].tolist() == ["completed", "killed"]


def test_trials_that_never_began_are_left_out_and_told(read: Reader) -> None:
    read(read.write("t.csv", EXPORTS["Optuna"][0]["trials.csv"]))
    assert read.remarks[-1] == "Trials without any setting, left out: 2."


def test_nested_runs_of_mlflow_keep_the_ids_of_their_parents(read: Reader) -> None:
    columns = "run_id,status,metrics.val_loss,params.seed,tags.mlflow.runName"
    text = f"{columns},tags.mlflow.parentRunId\np,FINISHED,,,sweep,\na,FINISHED,2.5,1,base,p\n"
    chosen = read.choose(read.write("runs.csv", text))
    parents = chosen.parents()
    assert parents is not None
    assert parents.fillna("").tolist() == ["", "p"]


def test_mlflow_s_rest_records_have_the_columns_of_search_runs(read: Reader) -> None:
    info = {"run_id": "a", "run_name": "base", "status": "FINISHED"}
    data = {
        "metrics": [{"key": "val_loss", "value": 2.5, "step": 9}],
        "params": [{"key": "seed", "value": "1"}],
    }
    runs = [{"info": info, "data": data}, {"info": info, "data": {}}]
    for document in (runs, {"runs": runs}):
        path = read.write("r.json", json.dumps(document))
        assert read(path) == [("base", "1", "2.5"), ("base", None, None)]


def test_the_table_of_a_chart_of_mlflow_has_its_runs_in_run(read: Reader) -> None:
    text = (
        '"Run","Run ID","metric","step","timestamp","value"\n"base-seed1","a","loss","1","9","2"\n'
    )
    assert read(read.write("chart.csv", text)) == [("base", "1", "2")]


def test_records_of_w_and_b_s_site_are_read(read: Reader) -> None:
    nodes = [{"name": "base", "summaryMetrics": {"val/loss": 2.5}, "config": {"lr": 1}}]
    assert read(read.write("r.json", json.dumps(nodes))) == [("base", None, "2.5")]


def test_a_scalar_of_tensorboard_is_read_from_json_too(read: Reader) -> None:
    path = read.write("run-a-seed1-tag-loss.json", json.dumps([[1.5, 0, 9.0], [2.5, 100, 2.5]]))
    assert read(path) == [("a", "1", "9.0"), ("a", "1", "2.5")]


ARMS = "has no column of arms; name the settings that make one: --column arm="
QUESTIONS: dict[str, tuple[str, str]] = {
    "several metrics of a panel": (
        panel("Step", "a - train/loss", "a - val/loss", rows="9,4,4.1\n"),
        "has the metrics 'train/loss', 'val/loss'; choose one, such as --column loss=val/loss",
    ),
    "a grouped panel": (
        panel(
            "Step", *(f"Group: a - loss{end}" for end in ("", "__MIN", "__MAX")), rows="1,3,2,4\n"
        ),
        "'Group: a' is the mean of a group of runs, and a test needs each run; turn grouping off",
    ),
    "two runs of one name in a panel": (
        panel("Step", "a - loss", "a - loss", rows="1,3,2\n"),
        "has two columns 'a - loss'; give the runs different names",
    ),
    "Optuna without arms": (
        "number,value,params_lr,params_wd,params_seed,state\n0,1,2,1,1,COMPLETE\n1,1,3,2,2,FAIL\n",
        f"is an export of Optuna and {ARMS}params_lr,params_wd",
    ),
    "Optuna with two objectives": (
        "number,values_0,values_1,params_lr,state\n0,1,2,0.1,COMPLETE\n",
        "has the objectives 'values_0' and 'values_1'; choose one: --column loss=values_0",
    ),
    "Ray without arms": (
        "val_loss,trial_id,training_iteration,config/lr,config/wd\n1,a,9,0.1,1\n2,b,9,0.2,1\n",
        f"is an export of Ray Tune and {ARMS}config/lr",
    ),
    "Guild without arms": (
        "run,operation,started,status,label,lr,step,val_loss\n"  # noqa: ISC004  (a table)
        "a,t,x,completed,lr=1 seed=1,1,9,2\nb,t,x,completed,lr=2 seed=1,2,9,3\n",
        f"is an export of Guild and {ARMS}lr",
    ),
    "a log of the Trainer without an evaluation": (
        history(2.5, evaluated=False),
        "has no eval_loss; its 'loss' is that of the training batches. To take that, add --column",
    ),
    "a log of the Trainer with two evaluations": (
        history(2.5).replace('"eval_runtime"', '"eval_c4_loss"'),
        "with the losses 'eval_loss' and 'eval_c4_loss'; choose one: --column loss=eval_loss",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), QUESTIONS.values(), ids=QUESTIONS)
def test_what_is_not_clear_is_asked_with_the_option_to_type(
    read: Reader, text: str, sentence: str
) -> None:
    with pytest.raises(ResultsError) as error:
        read(read.write("export", text))
    assert sentence in str(error.value)
    assert str(read.folder / "export") in str(error.value)
