"""How long runs will take, before they are run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from sweep.machine.processors import available_cores, find_gpus
from sweep.store.store import Store
from sweep.trainers.base import Cost
from sweep.workload.job import Job

UTILISATION = 0.3
"""Share of the matrix-product rate that training a small model reaches on a CPU, as a guess."""

ON_A_GPU = 1e13
"""Floating-point operations per second of a short run of a small model on a GPU, which it hardly
fills: 8e12 on an H200 with 3 million parameters, where GPT-2 small reaches 4e14."""


@dataclass(frozen=True)
class Pace:
    """Floating-point operations per second of one run, start and evaluation counted in."""

    rate: float
    source: str
    """Where the number comes from, for people."""

    def seconds(self, cost: Cost) -> float:
        """Seconds that one run takes."""
        return (cost.flops + cost.evaluation_flops) / self.rate

    def tokens_per_second(self, cost: Cost) -> float:
        """Training tokens per second."""
        return self.rate * cost.tokens / cost.flops


def given_pace(tokens_per_second: float | None, cost: Cost) -> Pace | None:
    """The pace at which a run of that cost trains so many tokens; None when none is given."""
    if tokens_per_second is None:
        return None
    return Pace(tokens_per_second * cost.flops / cost.tokens, "as given for the baseline")


def measured_pace(store: Store | None, jobs: Sequence[Job]) -> Pace | None:
    """The pace of those of the jobs that are done; None when none is."""
    if store is None:
        return None
    paces = []
    by_id = {job.run_id: job for job in jobs}
    for run in store.finished_times(list(by_id)):
        seconds = max(run.finished - run.started, 1e-3)
        paces.append(Pace(1.0, "").seconds(by_id[run.id].spec.cost) / seconds)
    return Pace(median(paces), "from the runs that are done") if paces else None


def guessed_pace(slots: int) -> Pace:
    """The pace that this machine's matrix products suggest, shared by `slots` runs.

    It is one core's, times the cores: products on several wait for the slowest of them, so on a
    busy machine they can be a hundred times slower. GPUs are not asked: that takes seconds.
    """
    if find_gpus():
        return Pace(ON_A_GPU, "a guess for any GPU, which large models use better")
    import numpy as np

    size = 64  # so small that one core does it
    matrix = np.ones((size, size), dtype=np.float32)
    best = min(_seconds(lambda: matrix @ matrix) for _ in range(1_000))  # whatever else is running
    return Pace(
        UTILISATION * available_cores() * 2 * size**3 / best / slots,
        "a guess from this machine's matrix products",
    )


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
