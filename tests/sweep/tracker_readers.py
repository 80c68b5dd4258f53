"""What a tracker has, read back with the tool's own library: a program, since some import for long.

Prints JSON: `runs` by ARM/SEED, each with its `group`, its `parameters`, the `points` of train/loss
as they were stored, and each final `test_losses`; and the texts in which the `verdicts` are.
"""

# ruff: noqa: PLC0415  (each tool is imported for itself: some take seconds, some are not there)

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Found = dict[str, Any]


def read_tensorboard(folder: Path) -> Found:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    runs, verdicts = {}, []
    for place in sorted({file.parent for file in folder.glob("tensorboard/**/events*")}):
        read = EventAccumulator(str(place), size_guidance={"scalars": 0, "tensors": 0})
        read.Reload()
        if place.name == "verdicts":
            verdicts += [
                each.tensor_proto.string_val[0].decode() for each in read.Tensors("verdicts")
            ]
            continue
        about = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        start = HParamsPluginData.FromString(about).session_start_info
        runs[f"{place.parent.name}/{place.name.partition('-')[0]}"] = {
            "group": start.group_name,
            "parameters": {name: _plain(value) for name, value in start.hparams.items()},
            "points": [[each.step, each.value] for each in read.Scalars("train/loss")],
            "test_losses": [each.value for each in read.Scalars("test_loss")],
        }
    return {"runs": runs, "verdicts": verdicts}


def _plain(value: Any) -> Any:  # noqa: ANN401  (a protocol buffer)
    return getattr(value, value.WhichOneof("kind"))


def read_wandb(folder: Path) -> Found:
    from wandb.proto.wandb_internal_pb2 import Record

    from sweep.trackers.wandb_files import read_records

    runs: Found = {}
    verdicts = [
        path.read_text() for path in folder.glob("wandb/offline-run-*/files/media/table/*.json")
    ]
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        found: Found = {"points": []}
        for data in read_records(file.read_bytes()):
            record = Record.FromString(data)
            if record.WhichOneof("record_type") == "run":
                items = record.run.config.update
                found["name"], found["group"] = record.run.display_name, record.run.run_group
                found["parameters"] = {each.key: json.loads(each.value_json) for each in items}
            values = {
                each.key or ".".join(each.nested_key): json.loads(each.value_json)
                for each in [*record.history.item, *record.summary.update]
            }
            if "train/loss" in values and record.WhichOneof("record_type") == "history":
                found["points"].append([record.history.step.num, values["train/loss"]])
            found |= {"test_losses": [values["test_loss"]]} if "test_loss" in values else {}
        if found.get("name") not in {None, "verdicts"}:
            before = runs.setdefault(found["name"], {"points": []})
            runs[found["name"]] = {**before, **found, "points": before["points"] + found["points"]}
    return {"runs": runs, "verdicts": verdicts}


def read_mlflow(folder: Path) -> Found:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    runs = {}
    for run in client.search_runs([experiment.experiment_id]):
        if parent := run.data.tags.get("mlflow.parentRunId"):
            points = _history(client, run, "train/loss")
            runs[run.info.run_name] = {
                "group": client.get_run(parent).info.run_name,
                "parameters": run.data.params,
                "points": [[each.step, each.value] for each in points],
                "test_losses": [each.value for each in _history(client, run, "test_loss")],
            }
    return {
        "runs": runs,
        "verdicts": [file.read_text() for file in folder.glob("mlflow-files/**/verdicts.md")],
    }


def _history(client: Any, run: Any, name: str) -> list[Any]:  # noqa: ANN401  (MLflow's types)
    return list(client.get_metric_history(run.info.run_id, name))


def read_trackio(folder: Path) -> Found:
    os.environ["TRACKIO_DIR"] = str(folder / "trackio")
    from trackio.sqlite_storage import SQLiteStorage

    runs, verdicts = {}, []
    for name in SQLiteStorage.get_runs("tiny"):
        logs = SQLiteStorage.get_logs("tiny", name)
        if name == "verdicts":
            verdicts += [json.dumps(each["verdicts"]) for each in logs]
            continue
        config = SQLiteStorage.get_run_config("tiny", name)
        runs[name.partition(" ")[0]] = {
            "group": config["_Group"],
            "parameters": config,
            "points": [[each["step"], each["train/loss"]] for each in logs if "train/loss" in each],
            "test_losses": [each["test_loss"] for each in logs if "test_loss" in each],
        }
    return {"runs": runs, "verdicts": verdicts}


READERS: dict[str, Callable[[Path], Found]] = {
    "tensorboard": read_tensorboard,
    "wandb": read_wandb,
    "mlflow": read_mlflow,
    "trackio": read_trackio,
}

if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(READERS[sys.argv[1]](Path(sys.argv[2]))) + "\n")
