"""Stores with something in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sweep.design import Plan
from sweep.queue import Job, Queue
from sweep.store import Store
from trainer.rundir import Event, Result

FAMILY = "f" * 64


def save(store: Store, plan: Plan, path: Path) -> None:
    """What `sweep run` writes before it trains."""
    jobs = {
        (arm.name, seed): Job(recipe.fingerprint("c"), recipe, "c", FAMILY)
        for arm in plan.arms
        for seed, recipe in arm.recipes.items()
    }
    Queue(store, "me:1:1").enqueue(jobs.values())
    store.save_plan(plan, path, {key: job.run_id for key, job in jobs.items()})


def fill(
    store: Store, plan: Plan, make_result: Callable[..., Result], events: list[Event], path: Path
) -> None:
    """Run the plan's six runs: one diverges, one fails, one is left, the others are done."""
    save(store, plan, path)
    queue = Queue(store, "me:1:1")
    runs = list(store.study_runs("tiny"))
    for number, run in enumerate(runs[:5]):
        assert queue.claim(run["id"])
        if number == 3:
            diverged = {"test_loss": None, "chunk_losses": [], "cause": "loss is nan"}
            result = make_result(state="diverged", diverged_at=2, **diverged)
            queue.record(run["id"], result, events, 1)
        elif number == 4:
            queue.fail(run["id"], "disk full", None, retry=False)
        else:
            queue.record(run["id"], make_result(test_loss=2.0 + number), events, 1)
