"""The gate on arms that share a few seeds with the baseline, and are compared without pairs."""

from __future__ import annotations

from itertools import product

import numpy as np

from analysis.unpaired import Side
from benchmarks.gates.apart import Study
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_most
from benchmarks.simulation import FAMILYWISE

LAYOUTS = ((7, 2), (7, 3), (6, 3), (20, 3))
"""Runs of each side, and how many of them share a seed with the other side: too few for pairs."""
CORRELATIONS = (-0.3, 0.0, 0.5, 0.9)
ARMS = (2, 8)


def partly_shared(settings: Settings) -> list[Line]:
    """Error of the unpaired test where some runs of both sides are correlated."""
    lines = []
    for (runs, shared), correlation, arms in product(LAYOUTS, CORRELATIONS, ARMS):
        generator = np.random.default_rng([runs, shared, arms, int(10 * correlation) + 3])
        baseline = generator.standard_normal((settings.studies, runs, 1))
        own = generator.standard_normal((settings.studies, runs, arms))
        rest = np.sqrt(1 - correlation**2)
        own[:, :shared] = correlation * baseline[:, :shared] + rest * own[:, :shared]
        sides = [
            Side(n=runs, mean=losses.mean(axis=1), variance=losses.var(axis=1, ddof=1))
            for losses in (own, baseline)
        ]
        study = Study(*sides)
        error = Rate.of(study.decided(study.precision()).any(axis=1))
        cell = f"{shared} of {runs} runs share seeds, correlation {correlation:g}, {arms} arms"
        lines.append(at_most(f"error: {cell}", error, FAMILYWISE))
    return lines
