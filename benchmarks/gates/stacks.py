"""Gate on stacks: how often the interval of a prediction holds the members' true sum.

Studies of eight arms, of which those that are shown to be better are stacked; studies without any do
not count. The analysis is that of `stacking.promise`, for thousands of studies at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from analysis.moderation import fit_prior, moderate
from analysis.multiplicity import adjust
from analysis.selection import selected_sizes
from analysis.stacking import shrinkage
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_least
from benchmarks.simulation import ALPHA, EFFECTS, SDS

Floats = NDArray[np.float64]

COVERAGE = 0.93
SD = 0.006
SEEDS = (3, 5, 7)
SCENARIOS = {
    "the unequal study": (EFFECTS, SDS),
    "four of eight at -2 sd": (np.repeat([0.0, -2 * SD], 4), np.full(8, SD)),
    "four of eight at -1 sd": (np.repeat([0.0, -SD], 4), np.full(8, SD)),
    "one of eight at -1 sd": (np.append(np.zeros(7), -SD), np.full(8, SD)),
    "all at -0.5 sd": (np.full(8, -0.5 * SD), np.full(8, SD)),
    "no effect": (np.zeros(8), np.full(8, SD)),
}
"""True effects and sds of paired differences, nats."""


def stacks(settings: Settings) -> list[Line]:
    """Each scenario and number of seeds in which any study has a stack."""
    lines = []
    for name, truth in SCENARIOS.items():
        for seeds in SEEDS:
            holds = covered(np.random.default_rng(seeds), settings.studies, seeds, *truth)
            if holds.size:
                lines.append(at_least(f"{name}, {seeds} seeds", Rate.of(holds), COVERAGE))
    return lines


def covered(
    generator: np.random.Generator, studies: int, seeds: int, effects: Floats, sds: Floats
) -> NDArray[np.bool_]:
    """For each study with a stack: true if its interval holds the sum of the true effects."""
    arms = effects.size
    d = effects + sds * generator.standard_normal((studies, seeds, arms))
    found, variances = d.mean(axis=1), d.var(axis=1, ddof=1)
    moderated, df = moderate(variances, seeds - 1, fit_prior(variances, seeds - 1))
    error, df = np.sqrt(moderated / seeds), np.broadcast_to(df, found.shape)
    t = np.abs(found) / error
    shown = adjust(2 * stdtr(df, -t), "holm") < ALPHA
    chosen = shown & (found < 0)
    level = ALPHA / (arms + 1 - np.maximum(shown.sum(axis=1, keepdims=True), 1))
    critical = -stdtrit(df, level / 2)
    given = selected_sizes(
        np.where(chosen, t, 9.0), np.where(chosen, critical, 0.0), df, arms, ALPHA
    )
    ends = (given.low, given.median, given.high)
    low, middle, high = (np.where(chosen, each * error, 0.0) for each in ends)
    predicted = -(shrinkage(found, error, df) * found * chosen).sum(axis=1)
    whole = -(found * chosen).sum(axis=1)
    sums = (d * chosen[:, None, :]).sum(axis=2).std(axis=1, ddof=1) / np.sqrt(seeds)
    margin = -stdtrit(seeds - 1, ALPHA / 2) * sums
    centre, relation = middle.sum(axis=1), _correlations(d)
    least = np.minimum(centre - _root(middle - low, relation), predicted - margin)
    most = np.maximum(centre + _root(high - middle, relation), whole + margin)
    truth = -(effects * chosen).sum(axis=1)
    holds = (least <= truth) & (truth <= most)
    return np.asarray(holds[chosen.any(axis=1)], bool)


def _correlations(d: Floats) -> Floats:
    deviations = d - d.mean(axis=1, keepdims=True)
    deviations /= np.sqrt((deviations**2).sum(axis=1, keepdims=True))
    return np.asarray(np.einsum("sni,snj->sij", deviations, deviations), float)


def _root(parts: Floats, relation: Floats) -> Floats:
    squares = np.einsum("si,sij,sj->s", parts, relation, parts)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)), float)
