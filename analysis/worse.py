"""Arms that are shown to be worse before their runs have ended.

At a checkpoint of the runs, an arm's curve is compared with the baseline's at the same step, seed by
seed. The e-value of `anytime` against "worse by no more than the margin" is taken after each seed,
and the largest one counts where the mean is above the margin: by Ville's inequality it reaches
1 / alpha in at most a share alpha of all studies, however many seeds come. Several arms are stepped
down as in `anytime.step_down`, and several checkpoints divide alpha.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .anytime import log_e, step_down

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Worse:
    """The evidence that an arm is worse by more than the margin."""

    seeds: int
    """Seeds of the largest e-value."""
    mean: float
    """Mean difference over these seeds: positive is worse."""
    log_e_value: float


def worse_log_e(differences: Floats, margin: float) -> Floats:
    """Log e-values against "worse by no more than `margin`" after each seed; 0 without evidence.

    `differences`: shape (..., n), positive is worse; the last axis runs over the seeds in their
    order. The first e-value, of a single seed, is 1.
    """
    d = np.asarray(differences, float)
    found = np.zeros(d.shape)
    for n in range(2, d.shape[-1] + 1):
        some = d[..., :n]
        distance = some.mean(axis=-1) - margin
        values = log_e(n, distance, some.var(axis=-1, ddof=1))
        found[..., n - 1] = np.where(distance > 0, values, 0.0)
    return found


def find_worse(
    differences: Mapping[Any, Sequence[float]], margin: float, alpha: float, questions: int
) -> dict[Any, Worse]:
    """The arms that are shown to be worse at one checkpoint, with their evidence.

    `differences`: by arm, arm minus baseline for each seed in the plan's order, positive is worse.
    `alpha`: the checkpoint's part of the error rate; `questions`: the arms that might be stopped.
    """
    evidence = {arm: _evidence(np.asarray(d, float), margin) for arm, d in differences.items()}
    shown = step_down([each.log_e_value for each in evidence.values()], alpha, questions)
    return {
        arm: each for (arm, each), is_worse in zip(evidence.items(), shown, strict=True) if is_worse
    }


def _evidence(differences: Floats, margin: float) -> Worse:
    if differences.size < 2:
        return Worse(seeds=differences.size, mean=math.nan, log_e_value=0.0)
    values = worse_log_e(differences, margin)
    best = int(np.argmax(values))
    mean = float(differences[: best + 1].mean())
    return Worse(seeds=best + 1, mean=mean, log_e_value=float(values[best]))


def fewest_seeds(alpha: float, questions: int) -> int:
    """The seeds below which no arm can be stopped at a checkpoint, however bad it is."""
    needed, n = math.log(questions / alpha), 2
    while log_e(n, 1.0, 0.0) < needed:  # of equal differences: the largest that there is
        n += 1
    return n
