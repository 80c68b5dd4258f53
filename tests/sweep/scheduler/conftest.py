"""Runs that succeed, six queued jobs, and a scheduler with a rehearsed executor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.queue.queue import Queue
from sweep.store.store import Store
from sweep.workload.job import Job
from tests.sweep.rehearsal import Behaviour, Desk, Rehearsal, loss_of
from trainer.rundir.directory import Event, Result, RunDirectory
from trainer.rundir.exits import Exit


@pytest.fixture
def succeed(make_result: Callable[..., Result], events: list[Event]) -> Behaviour:
    """Every run succeeds, with a loss that depends on its seed."""

    def behave(directory: RunDirectory, _number: int) -> int:
        directory.events.write_text("".join(f"{event.model_dump_json()}\n" for event in events))
        directory.write_result(
            make_result(test_loss=2.0 + loss_of(directory.read_request().recipe.seeds.init))
        )
        return Exit.DONE

    return behave


@pytest.fixture
def jobs(store: Store, make_job: Callable[[int], Job]) -> list[Job]:
    """Six queued jobs."""
    made = [make_job(seed) for seed in range(6)]
    Queue(store, "nobody:1:1").enqueue(made)
    return made


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Callable[..., Desk]:
    def make(behave: Behaviour, **options: int) -> Desk:
        return Desk(store, Rehearsal(behave), tmp_path / "runs", **options)

    return make
