"""A script of the user: what it is given, and how its metrics are read."""

from __future__ import annotations

import sys

import pytest

from tests.trainer.scripts import MakeScript, numbers
from trainer.rundir.exits import Exit


def test_a_script_gets_its_folder_files_seed_port_and_parameters(script: MakeScript) -> None:
    made = script(
        """
        import json, os, sys
        seen = {name: os.environ[name] for name in os.environ if name.startswith("SWEEP_")}
        seen["arguments"] = sys.argv[1:]
        seen["parameters"] = json.load(open(os.environ["SWEEP_PARAMETERS"]))
        seen["port"], seen["extra"] = os.environ["MASTER_PORT"], os.environ["EXTRA"]
        seen["gpu"], seen["cwd"] = os.environ["CUDA_VISIBLE_DEVICES"], os.getcwd()
        json.dump(seen, open(os.environ["SWEEP_RUN_DIR"] + "/seen.json", "w"))
        json.dump({"val_loss": 2.5}, open(os.environ["SWEEP_RESULT"], "w"))
        """,
        command=[
            *(sys.executable, "script.py", "--lr={lr}", "--seed={seed}", "--out={run_dir}/x"),
            *("{{brace}} $HOME `id`", "{port}", "{gpus}", "{parameters}"),
        ],
        parameters={"lr": 6e-4, "name": "a b"},
        environment={"EXTRA": "lr is {lr}"},
        processes=2,
    )
    assert made.run(CUDA_VISIBLE_DEVICES="3")["status"] == Exit.DONE
    assert made.result.metrics == {"val_loss": 2.5}
    seen = numbers(made.outputs.folder / "seen.json")
    folder = str(made.outputs.folder)
    assert seen["arguments"] == [
        *("--lr=0.0006", "--seed=3", f"--out={folder}/x", "{brace} $HOME `id`"),
        *(seen["port"], "2", f"{folder}/parameters.json"),
    ]
    assert seen["parameters"] == {"lr": 6e-4, "name": "a b"}
    assert seen["SWEEP_RUN_DIR"] == folder
    assert seen["SWEEP_SEED"] == "3"
    assert seen["SWEEP_ATTEMPT"] == "1"
    assert seen["extra"] == "lr is 0.0006"
    assert seen["gpu"] == "3"
    assert seen["cwd"] == str(made.folder)


def test_streams_have_a_variable_and_a_placeholder_each(script: MakeScript) -> None:
    made = script(
        "import os, sys; print(sys.argv, os.environ['SWEEP_SEED_DATA']); print('val loss 1')",
        command=[sys.executable, "script.py", "{init}", "{data}"],
        seeds={"init": 5, "data": 6},
    )
    made.run()
    assert "['script.py', '5', '6'] 6" in made.log


def test_the_metric_is_the_last_match_and_the_curve_has_all_of_them(script: MakeScript) -> None:
    made = script(
        """
        import sys
        for step in (10, 20, 30):
            print(f"step {step}: val loss {5 - step / 10:.2f}.", file=sys.stderr)
            print(f"eval at {step}, acc={step}%")
        """,
        metrics={
            "val_loss": {"regex": "val loss (?P<value>[0-9.]+)", "step_regex": r"step (\d+)"},
            "best": {"regex": "val loss ([0-9.]+)", "take": "max"},
            "acc": {"regex": r"acc=(\d+)", "take": "first"},
            "seconds": {"wall": True},
        },
    )
    made.run()
    metrics = made.result.metrics
    assert metrics.pop("seconds") > 0
    assert metrics == {"val_loss": 2.0, "best": 4.0, "acc": 10.0}
    assert made.curve() == {10: 4.0, 20: 3.0, 30: 2.0}
    assert made.curve("acc") == {1: 10.0, 2: 20.0, 3: 30.0}


def test_json_lines_are_read_on_the_output_and_in_a_file(script: MakeScript) -> None:
    made = script(
        r"""
        import json, os
        print('{"step": 10, "val_loss": 3.2, "note": "x"}')
        print('not {"val_loss": 9}')
        print('{"step": 20, "val_loss": 3.1}', end="")
        with open(os.environ["SWEEP_RUN_DIR"] + "/metrics.jsonl", "w") as file:
            file.write('{"step": 1, "speed": 100}\n{"step": 2, "speed": 200}')
        """,
        metrics={"val_loss": {"line": "val_loss"}, "speed": {"take": "mean"}},
    )
    made.run()
    assert made.result.metrics == {"val_loss": 3.1, "speed": 150.0}
    assert made.curve() == {10: 3.2, 20: 3.1}
    assert made.curve("speed") == {1: 100.0, 2: 200.0}


def test_the_result_file_comes_first_and_other_json_files_have_paths(script: MakeScript) -> None:
    made = script(
        """
        import json, os
        folder = os.environ["SWEEP_RUN_DIR"]
        json.dump({"val": {"loss": 1.5}, "a.b": {"c": 7}}, open(folder + "/result.json", "w"))
        json.dump({"acc": 0.5, "name": "ignored"}, open(os.environ["SWEEP_RESULT"], "w"))
        print("acc 0.1")
        """,
        metrics={
            "val_loss": {"json": "result.json:val.loss"},
            "c": {"json": "result.json:a.b.c"},
            "acc": {"regex": "acc ([0-9.]+)"},
        },
    )
    made.run()
    assert made.result.metrics == {"val_loss": 1.5, "c": 7.0, "acc": 0.5}


def test_tensorboard_files_are_read(script: MakeScript) -> None:
    pytest.importorskip("tensorboard")
    made = script(
        """
        import os
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
        writer = EventFileWriter(os.environ["SWEEP_RUN_DIR"] + "/logs")
        for step in (5, 10):
            value = Summary.Value(tag="val/loss", simple_value=4 - step / 10)
            writer.add_event(Event(step=step, summary=Summary(value=[value])))
        writer.close()
        """,
        metrics={"val_loss": {"line": "val/loss"}},
    )
    made.run()
    assert made.result.metrics == {"val_loss": 3.0}
    assert made.curve() == {5: 3.5, 10: 3.0}
