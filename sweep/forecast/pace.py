"""Estimate the speed of training before runs are started: from past runs, or from a measurement."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from sweep.machine.processors import available_cores, device_name, find_gpus
from sweep.store.rows import RunTime, TimedRun
from sweep.store.store import Store
from sweep.trainers.base import Cost
from sweep.trainers.stored_recipes import stored_cost
from sweep.workload.job import Job

CPU_UTILISATION = 0.3
"""Share of the matrix-product rate that training a small model reaches on a CPU; a guess."""

GPU_FLOPS = 1e13
"""Floating-point operations per second of a short run of a small model on a GPU, which it hardly
fills: 8e12 on an H200 with 3 million parameters; GPT-2 small reaches 4e14 there."""

START_SECONDS, STEP_SECONDS = 0.5, 0.005
"""Seconds that a run takes to start, and seconds of a step outside its matrix products; guesses."""

SIMILAR = 4.0
"""A run of another study is similar if the operations of its steps differ at most by this factor."""
SPREAD_OF_SIMILAR = 1.3
"""Factor by which the speed may differ from that of similar runs."""
AS_NEAR = 1.2
"""Similar runs are left out if they differ more than the most similar one by over this factor."""
SPREAD_OF_A_GUESS = 2.0


@dataclass(frozen=True)
class Pace:
    """The speed of one run, averaged over its start, training and evaluation."""

    rate: float
    """Floating-point operations per second."""
    source: str
    """Where the number comes from, for people."""
    spread: float = 1.0
    """Factor by which the time may be wrong, either way; 1 if the study's own runs were timed."""
    start: float = 0.0
    """Seconds of a run that do not depend on its operations."""
    step: float = 0.0
    """Seconds of a step that do not depend on its operations."""

    @property
    def is_known(self) -> bool:
        """False for a script of which no run has ended yet."""
        return not math.isnan(self.rate)

    def seconds(self, cost: Cost) -> float:
        """Seconds that one run takes; NaN if unknown."""
        overhead = self.start + self.step * cost.steps
        return overhead + (cost.flops + cost.evaluation_flops) / self.rate

    def tokens_per_second(self, cost: Cost) -> float:
        """Training tokens per second; 0 for a script, which counts none."""
        if not cost.tokens:
            return 0.0
        return cost.tokens / (self.step * cost.steps + cost.flops / self.rate)


UNKNOWN_PACE = Pace(math.nan, "unknown until a run has ended")


def given_pace(tokens_per_second: float | None, cost: Cost) -> Pace | None:
    """The pace at which a run of that cost trains so many tokens; None if none is given."""
    if tokens_per_second is None or not cost.tokens:
        return None
    return Pace(tokens_per_second * cost.flops / cost.tokens, "as given for the baseline")


def find_pace(store: Store | None, jobs: Sequence[Job], costs: Sequence[Cost], slots: int) -> Pace:
    """The pace of `slots` runs at a time: of the jobs that are done, of similar runs, or a guess.

    `costs` are those of the planned runs. Only its own runs tell the time of a script.
    """
    measured = measured_pace(store, jobs)
    if measured or not all(cost.steps for cost in costs):
        return measured or UNKNOWN_PACE
    return similar_pace(store, costs, slots) or guessed_pace(slots)


def measured_pace(store: Store | None, jobs: Sequence[Job]) -> Pace | None:
    """The pace of the jobs that are done, each arm with its median run; None if none is done."""
    if store is None:
        return None
    by_id = {job.run_id: job for job in jobs}
    done = store.finished_times(list(by_id))
    times: dict[str, list[float]] = {}
    costs = {}
    for run in done:
        job = by_id[run.id]
        times.setdefault(job.family, []).append(_seconds_of(run))
        costs[job.family] = job.spec.cost
    if not done:
        return None
    runs = "the run that is" if len(done) == 1 else f"the {len(done)} runs that are"
    return _of_arms(times, costs, f"from {runs} done")


def similar_pace(store: Store | None, costs: Sequence[Cost], slots: int) -> Pace | None:
    """The pace of runs of other studies on this device with steps of similar size; None without any."""
    if store is None or not costs:
        return None
    wanted = median(cost.flops / cost.steps for cost in costs)
    found: dict[str, tuple[float, Cost, list[float]]] = {}
    for run in store.latest_times():
        cost = stored_cost(run.recipe)
        if cost is None or not _is_from_here(run.provenance or {}, slots):
            continue
        ratio = wanted / (cost.flops / cost.steps)
        if 1 / SIMILAR <= ratio <= SIMILAR:
            found.setdefault(run.family, (ratio, cost, []))[2].append(_seconds_of(run))
    if not found:
        return None
    nearest = min(_distance(ratio) for ratio, _, _ in found.values())
    kept = {k: each for k, each in found.items() if _distance(each[0]) <= AS_NEAR * nearest}
    times = {family: seconds for family, (_, _, seconds) in kept.items()}
    number = sum(map(len, times.values()))
    source = f"from {number} similar run{'s' if number > 1 else ''} on this machine"
    made = _of_arms(times, {family: cost for family, (_, cost, _) in kept.items()}, source)
    # A step of twice the operations takes as long, if overhead dominates, to twice as long.
    scale = median(ratio for ratio, _, _ in kept.values()) ** 0.5
    return replace(made, rate=made.rate * scale, spread=SPREAD_OF_SIMILAR * _distance(scale))


def _distance(ratio: float) -> float:
    """The ratio or its inverse, whichever is at least 1."""
    return max(ratio, 1 / ratio)


def _of_arms(
    times: Mapping[str, Sequence[float]],
    costs: Mapping[str, Cost],
    source: str,
) -> Pace:
    """The pace of all arms together; a median, because a run may have been interrupted for hours."""
    operations = sum(cost.flops + cost.evaluation_flops for cost in costs.values())
    return Pace(operations / sum(map(median, times.values())), source)


def _seconds_of(run: RunTime | TimedRun) -> float:
    return max(run.finished - run.started, 1e-3)


def _is_from_here(provenance: Mapping[str, object], slots: int) -> bool:
    """True if a run was trained on this device, with as many threads as each of `slots` runs has."""
    if provenance.get("device") != device_name():
        return False
    threads = None if provenance.get("device_type") == "cuda" else provenance.get("threads")
    return threads in {None, max(1, available_cores() // slots)}


def guessed_pace(slots: int) -> Pace:
    """Guess the pace of each of `slots` runs from this machine's matrix products.

    One core is measured and multiplied by the number of cores: a product on several cores waits
    for the slowest of them, which on a busy machine can be a hundred times slower. GPUs are not
    measured, because that takes seconds.
    """
    overhead = (SPREAD_OF_A_GUESS, START_SECONDS, STEP_SECONDS)
    if find_gpus():
        return Pace(GPU_FLOPS, "a guess for any GPU; large models use it better", *overhead)
    import numpy as np

    size = 64  # small, so that numpy uses one core
    matrix = np.ones((size, size), dtype=np.float32)
    best = min(_seconds(lambda: matrix @ matrix) for _ in range(1_000))  # least disturbed by others
    return Pace(
        CPU_UTILISATION * available_cores() * 2 * size**3 / best / slots,
        "a guess from this machine's matrix products",
        *overhead,
    )


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
