"""Real A/A studies: runs of one recipe, trained here, dealt out as a baseline and seven arms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console

from analysis.verdict import Judgement, Plan, judge
from sweep.executors.slots import find_slots
from sweep.queue.owner import this_process
from sweep.queue.queue import Queue
from sweep.running.settings import Settings
from sweep.running.train import train_jobs
from sweep.workload.workload import make_workload
from sweep.workspace import Workspace, read_plan
from trainer.recipe import Seeds

Floats = NDArray[np.float64]

ARMS, SEEDS = 8, 5
NAMES = ["baseline", *(f"arm-{i}" for i in range(1, ARMS))]
PLAN = Plan(arms=tuple(NAMES[1:]), smallest_effect=0.0)


def own_seeds() -> list[Seeds]:
    """Seeds of arms that are the baseline with other seeds: no two runs share a stream."""
    return [Seeds(init=s, order=s, dropout=s) for s in range(1, ARMS * SEEDS + 1)]


def placebos() -> list[Seeds]:
    """Seeds of arms that share the baseline's weights and batches, with another dropout stream each.

    Arm by arm; the first arm is the baseline, whose streams all have the run's one seed.
    """
    return [
        Seeds(init=seed, order=seed, dropout=seed + 1000 * arm)
        for arm in range(ARMS)
        for seed in range(1, SEEDS + 1)
    ]


def train(study: Path, seeds: Sequence[Seeds], tokens: int, folder: Path) -> list[float]:
    """Test losses (nats) of the study's baseline, shortened to `tokens`, on each of `seeds`."""
    workspace = Workspace(folder)
    plan = read_plan(study, {"train.tokens": tokens})
    workload = make_workload(plan, workspace.cache, online=True)
    arm = workload.plan.arms[0]
    jobs = {
        f"baseline/{each.init}-{each.order}-{each.dropout}": workload.job(arm.spec.with_seeds(each))
        for each in seeds
    }
    workload.inputs.save_small()
    store = workspace.open_or_create()
    Queue(store, this_process()).enqueue(jobs.values())
    train_jobs(
        workspace,
        store,
        jobs,
        find_slots(None, plan.study.jobs.gpus_per_run),
        Settings(plan.study.jobs),
        Console(stderr=True),
    )
    found = store.losses([job.run_id for job in jobs.values()])
    return [found[job.run_id] for job in jobs.values()]


def judged(losses: Sequence[float] | Floats, *, paired: bool) -> Judgement:
    """The verdicts on losses given arm by arm; runs of a place share a seed where `paired`."""
    numbers = np.arange(ARMS * SEEDS)
    runs = pd.DataFrame(
        {
            "arm": np.repeat(NAMES, SEEDS),
            "seed": numbers % SEEDS if paired else numbers,
            "loss": losses,
            "status": "done",
        }
    )
    return judge(runs, PLAN)


def wrong(judgement: Judgement) -> int:
    """Arms with a verdict better or worse, which is wrong for all of them."""
    return sum(row.verdict in ("better", "worse") for row in judgement.arms)


def error_rate(losses: Sequence[float], deals: int, *, paired: bool) -> float:
    """The share of deals in which any arm is called better or worse.

    All runs are of one recipe, so they can change places: the runs of one seed if `paired`,
    otherwise all of them.
    """
    generator = np.random.default_rng(6)
    table = np.reshape(losses, (ARMS, SEEDS))
    dealt = (
        generator.permuted(table, axis=0) if paired else generator.permuted(table)
        for _ in range(deals)
    )
    return sum(wrong(judged(each.ravel(), paired=paired)) > 0 for each in dealt) / deals
