"""Gate on diverged runs: null studies in which arms diverge as often as the baseline.

Runs diverge at random, or those with the highest losses do (not missing at random).
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from analysis.verdict import Plan, judge
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_most
from benchmarks.simulation import BASELINE_SD, FAMILYWISE

Floats = NDArray[np.float64]

STUDIES = 100
"""At most so many in each cell: each is judged by itself."""
ARMS, CORRELATION = 8, 0.5
CELLS = [(0.05, 7), (0.2, 3), (0.2, 5)]
"""Shares of diverged runs and numbers of seeds."""
WRONG = ("better", "worse", "unstable")


def divergence(settings: Settings) -> list[Line]:
    """Each cell of a share, a number of seeds, and what diverges."""
    return [
        at_most(
            f"any arm better, worse or unstable: {rate:.0%} of runs diverge, {why}, {seeds} seeds",
            Rate.of(wrong(min(settings.studies, STUDIES), seeds, rate, at_random=at_random)),
            FAMILYWISE,
        )
        for rate, seeds in CELLS
        for why, at_random in (("at random", True), ("those with the highest losses", False))
    ]


def wrong(studies: int, seeds: int, rate: float, *, at_random: bool) -> list[bool]:
    """For each study: true if any arm has one of the `WRONG` verdicts."""
    generator = np.random.default_rng([seeds, round(100 * rate), at_random])
    drawn = (losses(generator, seeds, rate, at_random=at_random) for _ in range(studies))
    return [any(verdicts(values)[word] for word in WRONG) for values in drawn]


def losses(generator: np.random.Generator, seeds: int, rate: float, *, at_random: bool) -> Floats:
    """Losses of the baseline and the arms, shape (seeds, 1 + ARMS), nats; NaN for a diverged run."""
    shape = (seeds, 1 + ARMS)
    shared = generator.standard_normal((seeds, 1))
    noise = np.sqrt(CORRELATION) * shared
    noise = noise + np.sqrt(1 - CORRELATION) * generator.standard_normal(shape)
    risk = generator.standard_normal(shape) if at_random else noise
    return np.where(risk > ndtri(1 - rate), np.nan, 3.5 + BASELINE_SD * noise)


def verdicts(values: Floats) -> Counter[str]:
    """The number of arms by verdict, for losses of shape (seeds, 1 + arms); the baseline first."""
    seeds, columns = values.shape
    names = ["baseline", *(f"arm-{i}" for i in range(columns - 1))]
    runs = pd.DataFrame(
        {
            "arm": np.tile(names, seeds),
            "seed": np.repeat(np.arange(seeds), columns),
            "loss": values.ravel(),
            "status": np.where(np.isnan(values.ravel()), "diverged", "done"),
        }
    )
    plan = Plan(arms=tuple(names[1:]), smallest_effect=0.0)
    return Counter(str(row.verdict) for row in judge(runs, plan).arms[1:])
