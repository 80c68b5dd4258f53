"""The store keeps every metric of a run in a table of its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from sweep.metrics.registry import METRICS
from sweep.notebook.frame import runs_frame
from sweep.store.metrics import study_metrics
from sweep.store.schema import ADDED
from sweep.store.store import Store
from sweep.store.url import store_url
from tests.sweep.test_rebuild import without


def test_a_trained_run_has_every_metric_of_the_registry(filled: Store) -> None:
    found = study_metrics(filled, "tiny")
    losses = filled.losses(list(found))
    assert losses
    for run_id, loss in losses.items():
        assert found[run_id]["test_loss"] == loss
        assert found[run_id].keys() == METRICS.keys()


def test_a_diverged_run_has_its_speed_and_no_loss(filled: Store) -> None:
    (run,) = (each.run for each in filled.study_runs("tiny") if each.run.state == "diverged")
    found = study_metrics(filled, "tiny")[run.id]
    assert "test_loss" not in found
    assert found["tokens_per_second"] == run.tokens_per_second


def test_training_time_is_that_of_the_steps_alone(filled: Store) -> None:
    run = filled.study_runs("tiny")[0].run
    assert run.tokens is not None
    assert run.tokens_per_second is not None
    found = study_metrics(filled, "tiny")[run.id]
    assert found["train_seconds"] == pytest.approx(run.tokens / run.tokens_per_second)


def test_an_older_database_gets_the_metrics_of_its_runs(filled: Store) -> None:
    assert filled.file
    before = study_metrics(filled, "tiny")
    filled.close()
    with closing(sqlite3.connect(filled.file)) as connection, connection:
        for item in (*ADDED[4], *ADDED[5]):
            connection.execute(without(item))
        connection.execute("UPDATE schema_version SET version = 3")
    with Store(store_url(None, filled.file.parent)) as upgraded:
        assert study_metrics(upgraded, "tiny") == before


def test_a_table_for_notebooks_has_a_column_for_each_metric() -> None:
    run = {"arm": "a", "seed": 1, "test_loss": 2.0, "state": "done", "id": "x", "steps": 3}
    metrics = {"test_loss": 2.0, "steps": 7.0, "accuracy": 0.5}
    frame = runs_frame([{**run, "metrics": metrics}, {**run, "seed": 2, "metrics": {}}])
    assert "test_loss" not in frame
    assert frame["metrics.steps"].tolist()[0] == 7.0
    assert frame["accuracy"].tolist()[0] == 0.5
    assert frame["loss"].tolist() == [2.0, 2.0]
