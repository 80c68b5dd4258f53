"""Estimate the speed of training, before runs are started."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from sweep.machine.processors import available_cores, find_gpus
from sweep.store.store import Store
from sweep.trainers.base import Cost
from sweep.workload.job import Job

CPU_UTILISATION = 0.3
"""Share of the matrix-product rate that training a small model reaches on a CPU; a guess."""

GPU_FLOPS = 1e13
"""Floating-point operations per second of a short run of a small model on a GPU, which it hardly
fills: 8e12 on an H200 with 3 million parameters; GPT-2 small reaches 4e14 there."""


@dataclass(frozen=True)
class Pace:
    """The speed of one run, averaged over its start, training and evaluation."""

    rate: float
    """Floating-point operations per second."""
    source: str
    """Where the number comes from, for people."""

    def seconds(self, cost: Cost) -> float:
        """Seconds that one run takes."""
        return (cost.flops + cost.evaluation_flops) / self.rate

    def tokens_per_second(self, cost: Cost) -> float:
        """Training tokens per second."""
        return self.rate * cost.tokens / cost.flops


def given_pace(tokens_per_second: float | None, cost: Cost) -> Pace | None:
    """The pace at which a run of that cost trains so many tokens; None if none is given."""
    if tokens_per_second is None:
        return None
    return Pace(tokens_per_second * cost.flops / cost.tokens, "as given for the baseline")


def measured_pace(store: Store | None, jobs: Sequence[Job]) -> Pace | None:
    """The median pace of the jobs that are done; None if none is done."""
    if store is None:
        return None
    paces = []
    by_id = {job.run_id: job for job in jobs}
    for run in store.finished_times(list(by_id)):
        seconds = max(run.finished - run.started, 1e-3)
        paces.append(Pace(1.0, "").seconds(by_id[run.id].spec.cost) / seconds)
    return Pace(median(paces), "from the runs that are done") if paces else None


def guessed_pace(slots: int) -> Pace:
    """Guess the pace of each of `slots` runs from this machine's matrix products.

    One core is measured and multiplied by the number of cores: a product on several cores waits
    for the slowest of them, which on a busy machine can be a hundred times slower. GPUs are not
    measured, because that takes seconds.
    """
    if find_gpus():
        return Pace(GPU_FLOPS, "a guess for any GPU, which large models use better")
    import numpy as np

    size = 64  # small, so that numpy uses one core
    matrix = np.ones((size, size), dtype=np.float32)
    best = min(_seconds(lambda: matrix @ matrix) for _ in range(1_000))  # least disturbed by others
    return Pace(
        CPU_UTILISATION * available_cores() * 2 * size**3 / best / slots,
        "a guess from this machine's matrix products",
    )


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
