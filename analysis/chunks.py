"""The uncertainty of an effect that comes from the choice of the test text.

Seeds show how much an effect varies with the random numbers on the same text. The losses of single
chunks show how much it would vary with the text, for text of the same kind.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from .effects import moments

Floats = NDArray[np.float64]

FEW_CHUNKS = 5
"""An effect rests on few chunks if removing at most this many of them can change its sign."""
FEW_CHUNKS_DIVISOR = 10
"""With fewer than 50 chunks, the limit is a tenth of them instead of FEW_CHUNKS, but at least 1."""


@dataclass(frozen=True, kw_only=True)
class ChunkEffect:
    """One arm's effect with its uncertainty from the test text; losses in nats."""

    arm: str
    n_seeds: int
    """Seeds shared with the baseline, over which each chunk's difference is averaged."""
    n_chunks: int
    effect: float
    """Arm minus baseline: the mean over the chunks, with equal weights."""
    se_chunks: float
    """Standard error of the mean over chunks, paired by chunk. Neighbouring chunks are treated as
    independent, so it is too small if they are parts of one document."""
    se_seeds: float | None
    """Standard error of the mean over seeds, paired by seed; None for one seed."""
    ci_low: float
    """The 1 - alpha interval of the effect over other text, with these seeds."""
    ci_high: float
    carried_by: int | None
    """The smallest number of chunks without which the effect is zero or has the opposite sign; None
    if the effect is exactly zero."""

    @property
    def se_total(self) -> float:
        """Both standard errors combined. The interaction of seed and chunk is counted in each."""
        return math.hypot(self.se_chunks, self.se_seeds or 0.0)

    @property
    def rests_on_few_chunks(self) -> bool:
        """True if the verdict `better` or `worse` may not hold on other text.

        That is so if the interval over other text contains zero, or if the sign of the effect
        depends on few of the chunks.
        """
        limit = max(1, min(FEW_CHUNKS, self.n_chunks // FEW_CHUNKS_DIVISOR))
        carried = self.carried_by is not None and self.carried_by <= limit
        return self.ci_low <= 0 <= self.ci_high or carried

    def outside(self, delta: float) -> bool:
        """True if the effect on other text may exceed `delta` (nats): it may not be negligible."""
        return not -delta < self.ci_low <= self.ci_high < delta


def chunk_effects(
    losses: pd.DataFrame, baseline: str = "baseline", alpha: float = 0.05
) -> dict[str, ChunkEffect]:
    """Effects by arm, for arms that share a seed with the baseline, in the order of their rows.

    `losses` has the columns arm, seed, chunk and loss (nats), one row per run and chunk, of runs
    that are done. Only chunks that all runs of arm and baseline have are used. An arm with fewer
    than two such chunks is left out. Raises ValueError for a missing column, a baseline without
    rows, a chunk that occurs twice in a run, or a loss that is not finite.
    """
    _check(losses, baseline)
    every = losses.pivot_table(index=["arm", "seed"], columns="chunk", values="loss", sort=False)
    tables = {str(arm): table.droplevel("arm") for arm, table in every.groupby("arm", sort=False)}
    reference = tables.pop(baseline)
    found = (_effect(arm, table, reference, alpha) for arm, table in tables.items())
    return {effect.arm: effect for effect in found if effect is not None}


def _check(losses: pd.DataFrame, baseline: str) -> None:
    absent = [name for name in ("arm", "seed", "chunk", "loss") if name not in losses.columns]
    if absent:
        raise ValueError(f"there is no column {absent[0]!r}; there are {list(losses.columns)}")
    arms = list(losses["arm"].unique())
    if baseline not in arms:
        raise ValueError(f"the baseline {baseline!r} has no chunks; these arms have: {arms}")
    twice = losses.duplicated(["arm", "seed", "chunk"])
    if twice.any():
        arm, seed, chunk = losses.loc[twice, ["arm", "seed", "chunk"]].iloc[0]
        raise ValueError(f"arm {arm!r}, seed {seed}: chunk {chunk} occurs twice; give it once")
    if not np.isfinite(losses["loss"].to_numpy(float)).all():
        raise ValueError("a chunk has a loss that is not finite; leave diverged runs out")


def _effect(
    arm: str, table: pd.DataFrame, reference: pd.DataFrame, alpha: float
) -> ChunkEffect | None:
    # Subtraction aligns seeds and chunks; those that only one side has become missing values.
    differences = (table - reference).dropna(axis="index", how="all").dropna(axis="columns")
    values = differences.to_numpy(float)
    if values.shape[0] < 1 or values.shape[1] < 2:
        return None
    by_chunk = values.mean(axis=0)
    effect, variance = moments(by_chunk)
    error = math.sqrt(variance / by_chunk.size)
    margin = -float(stdtrit(by_chunk.size - 1, alpha / 2)) * error
    return ChunkEffect(
        arm=arm,
        n_seeds=values.shape[0],
        n_chunks=by_chunk.size,
        effect=effect,
        se_chunks=error,
        se_seeds=_error(values.mean(axis=1)) if values.shape[0] > 1 else None,
        ci_low=effect - margin,
        ci_high=effect + margin,
        carried_by=_carried_by(by_chunk) if effect != 0 else None,
    )


def _error(values: Floats) -> float:
    return math.sqrt(moments(values)[1] / values.size)


def _carried_by(by_chunk: Floats) -> int:
    """How many of the largest contributions to remove until the sum is zero or changes its sign."""
    contributions = np.sort(by_chunk * np.sign(by_chunk.sum()))
    rest = np.cumsum(contributions)[::-1]  # without 0, 1, 2, ... of the largest
    gone = np.flatnonzero(rest <= 0)
    return int(gone[0]) if gone.size else by_chunk.size
