"""How long runs will take and how small an effect they can show, before they are run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from sweep.jobs import Workload
from sweep.queue import Job
from sweep.store import Store
from sweep.study import BASELINE
from trainer.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

UTILISATION = 0.3
"""Share of the matrix-product rate that training a small model reaches on a CPU, as a guess."""


@dataclass(frozen=True)
class Pace:
    """Floating-point operations per second of one run, start and evaluation counted in."""

    rate: float
    source: str
    """Where the number comes from, for people."""

    def seconds(self, recipe: Recipe) -> float:
        """How long one run of the recipe takes; evaluation is a third of the work per token."""
        scored = recipe.evaluation.chunks * recipe.evaluation.chunk_tokens
        trained = recipe.steps * recipe.tokens_per_step
        return recipe.flops * (1 + scored / (3 * trained)) / self.rate

    def tokens_per_second(self, recipe: Recipe) -> float:
        """What it is in training tokens of the recipe."""
        return self.rate * recipe.steps * recipe.tokens_per_step / recipe.flops


def given_pace(tokens_per_second: float | None, recipe: Recipe) -> Pace | None:
    """The pace at which a run of the recipe trains that many tokens; None when none is given."""
    if tokens_per_second is None:
        return None
    trained = recipe.steps * recipe.tokens_per_step
    return Pace(tokens_per_second * recipe.flops / trained, "as given for the baseline")


def measured_pace(store: Store | None, jobs: Sequence[Job]) -> Pace | None:
    """The pace of those of the jobs that are done; None when none is."""
    if store is None:
        return None
    paces = []
    by_id = {job.run_id: job for job in jobs}
    for run in store.finished_times(list(by_id)):
        seconds = max(run["finished"] - run["started"], 1e-3)
        paces.append(Pace(1.0, "").seconds(by_id[run["id"]].recipe) / seconds)
    return Pace(median(paces), "from the runs that are done") if paces else None


def guessed_pace(slots: int) -> Pace:
    """The pace that this machine's matrix products suggest, shared by `slots` runs."""
    import numpy as np  # noqa: PLC0415  (only a plan without results needs it)

    size = 512
    matrix = np.ones((size, size), dtype=np.float32)
    best = min(_seconds(lambda: matrix @ matrix) for _ in range(20))  # whatever else is running
    return Pace(
        UTILISATION * 2 * size**3 / best / slots, "a guess from this machine's matrix products"
    )


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


@dataclass(frozen=True)
class Sight:
    """The smallest effects, in nats, that a design sees with 80% power."""

    unpaired: float
    """If pairing were worth nothing: from the baseline's sd over seeds."""
    paired: tuple[float, float] | None
    """From the sds of the paired differences seen so far: the steadiest arm's, the noisiest's."""
    runs: int
    """Baseline runs that this rests on."""


def sight(store: Store | None, workload: Workload) -> Sight | None:
    """What the design can see, going by the runs of its arms that are done; None without noise."""
    frame = _losses(store, workload)
    if frame is None or BASELINE not in frame or frame[BASELINE].count() < 2:
        return None
    from analysis.power import (  # noqa: PLC0415  (brings scipy)
        smallest_visible_effect,
        smallest_visible_effect_unpaired,
    )

    study = workload.plan.study
    seeds, family = len(workload.plan.seeds), len(workload.plan.arms) - 1
    alpha = study.analysis.alpha / (1 if study.analysis.correction == "none" else family)
    differences = frame.drop(columns=BASELINE).sub(frame[BASELINE], axis=0)
    spreads = [sd for sd in differences.std(ddof=1).tolist() if sd > 0]
    paired = [smallest_visible_effect(seeds, sd, alpha) for sd in spreads]
    return Sight(
        smallest_visible_effect_unpaired(seeds, float(frame[BASELINE].std(ddof=1)), alpha),
        (min(paired), max(paired)) if paired else None,
        int(frame[BASELINE].count()),
    )


def _losses(store: Store | None, workload: Workload) -> pd.DataFrame | None:
    """Test losses by seed (rows) and arm (columns) of the plan's runs that are done."""
    if store is None:
        return None
    import pandas as pd  # noqa: PLC0415  (slow to import)

    jobs = workload.jobs()
    losses = store.losses([job.run_id for job in jobs.values()])
    rows = [
        (arm, seed, losses[job.run_id]) for (arm, seed), job in jobs.items() if job.run_id in losses
    ]
    frame = pd.DataFrame(rows, columns=["arm", "seed", "loss"])
    return frame.pivot_table(index="seed", columns="arm", values="loss") if rows else None
