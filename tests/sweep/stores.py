"""Stores with plans and results."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import select

from sweep.commands.report import print_report
from sweep.design.arms import make_plan
from sweep.design.plan import Plan
from sweep.history.record import save_plan
from sweep.queue.queue import Queue
from sweep.reports.verdict_json import report_json
from sweep.store.schema import metadata
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.study.file import parse_study
from sweep.verdicts.judge import make_report
from sweep.workload.job import Job
from tests.sweep.jobs import make_gpt_job
from tests.sweep.one_by_one import OneByOne
from trainer.rundir.directory import Event, Result


def save(store: Store, plan: Plan, path: Path) -> None:
    """Store a plan and queue its runs, as `sweep run` does before it trains."""
    jobs = {
        (arm.name, seed): make_gpt_job(spec.recipe)
        for arm in plan.arms
        for seed, spec in arm.specs.items()
    }
    Queue(store, "me:1:1").enqueue(jobs.values())
    save_plan(store, plan, path, {key: job.run_id for key, job in jobs.items()})


def fill(
    store: Store, plan: Plan, make_result: Callable[..., Result], events: list[Event], path: Path
) -> None:
    """Record outcomes of the plan's six runs: three done, one diverged, one failed, one queued."""
    save(store, plan, path)
    queue = OneByOne(store, "me:1:1")
    runs = store.run_ids("tiny")
    for number, (_, run_id) in enumerate(runs[:5]):
        assert queue.claim(run_id)
        if number == 3:
            diverged = {"test_loss": None, "chunk_losses": [], "cause": "loss is nan"}
            result = make_result(state="diverged", diverged_at=2, **diverged)
            queue.record(run_id, result, events, 1)
        elif number == 4:
            queue.fail(run_id, "disk full", None, retry=False)
        else:
            queue.record(run_id, make_result(test_loss=2.0 + number), events, 1)


Content = dict[str, Any]
Outcome = Callable[[str, int], dict[str, Any]]
"""By arm and seed: fields of the result that differ from `usual`; `{"fail": True}` is a failure."""
ORIGIN = {
    "commit": "a" * 40,
    "dirty": False,
    "versions": {"python": "3.11.2", "torch": "2.13.0"},
    "device": "AMD EPYC",
    "device_type": "cpu",
    "precision": "float32",
    "processes": 1,
}
LOSSES = {"baseline": 2.5, "no-dropout": 2.4, "clip": 2.45}


def usual(arm: str, seed: int) -> dict[str, Any]:
    loss = LOSSES.get(arm, 2.6) + seed / 100 + (len(arm) * seed) % 5 / 1000
    return {"test_loss": loss, "tokens": 2048, "provenance": ORIGIN}


class Trainer:
    """Stores plans and the results of their runs, as `sweep run` would."""

    def __init__(self, store: Store, folder: Path, make_result: Callable[..., Result]) -> None:
        self.store, self.folder, self.make_result = store, folder, make_result

    def __call__(self, content: Content, outcome: Outcome = usual) -> Plan:
        """Record results for the runs that a study still lacks."""
        plan = make_plan(parse_study(deepcopy(content), "s.toml"), "s.toml")
        jobs = {
            (arm.name, seed): self.job(arm.identity, spec.recipe)
            for arm in plan.arms
            for seed, spec in arm.specs.items()
        }
        queue = OneByOne(self.store, "me:1:1")
        queue.enqueue(jobs.values())
        run_ids = {key: job.run_id for key, job in jobs.items()}
        save_plan(self.store, plan, self.folder / "s.toml", run_ids)
        for (arm, seed), job in jobs.items():
            changes = outcome(arm, seed)
            if changes and queue.claim(job.run_id):
                self.record(queue, job.run_id, {**usual(arm, seed), **changes})
        return plan

    @staticmethod
    def job(identity: str, recipe: Any) -> Job:  # noqa: ANN401  (a Recipe)
        family = hashlib.sha256(identity.encode()).hexdigest()
        return make_gpt_job(recipe, family=family)

    def record(self, queue: OneByOne, run_id: str, changes: dict[str, Any]) -> None:
        if changes.pop("fail", False):
            queue.fail(run_id, "disk full", None, retry=False)
        else:
            queue.record(run_id, self.make_result(**changes), [], 1)

    def report(self) -> dict[str, Any]:
        return report_json(make_report(self.store, self.store.study("tiny")))

    def table(self, width: int = 400) -> str:
        """Return the report as a terminal shows it."""
        console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
        with console.capture() as said:
            print_report(self.store, self.store.study("tiny"), console)
        return said.get()


def everything(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table, with arms' ids replaced by their names."""
    with Store(store_url(None, folder)) as store, store.begin() as connection:
        found = {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in metadata.sorted_tables
        }
    names = {row.pop("id"): (row["study"], row["name"]) for row in found["arms"]}
    for row in found["members"]:
        row["arm_id"] = names[row["arm_id"]]
    return {name: sorted(rows, key=str) for name, rows in found.items()}


def lose(folder: Path) -> None:
    """Remove the database."""
    for path in folder.glob("sweep.db*"):
        path.unlink()


def changed(content: Content, path: str, value: Any) -> Content:  # noqa: ANN401  (JSON)
    """A study with one key, such as `design/seeds`, set to a value; None removes the key."""
    new = deepcopy(content)
    *parents, last = path.split("/")
    place = new
    for parent in parents:
        place = place.setdefault(parent, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return new
