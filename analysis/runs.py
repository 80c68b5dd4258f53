"""The runs of a study by arm, read from a DataFrame and checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .digits import rounding
from .effects import moments

SEED_COLUMNS = ("seed", "init_seed", "order_seed", "dropout_seed")
"""Columns that identify a replicate; a frame has at least one of them. Runs of two arms are paired
if they agree in all that the frame has. Runs of one arm that agree in one of several are not
independent: see `clusters`."""
STATUSES = ("done", "diverged", "failed", "queued", "running", "cancelled")
MAX_LOSS = 1e100
"""Maximum loss: sums of squares of larger losses may overflow."""

Seed = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class ArmRuns:
    """One arm's runs by seed. A seed is a tuple of the seed columns that are present."""

    arm: str
    losses: dict[Seed, float]
    """Test losses, in nats, of the runs that are done, ordered by seed."""
    diverged: frozenset[Seed]
    n_failed: int
    n_missing: int
    """Number of runs without a result: queued, running, cancelled."""
    seed_columns: tuple[str, ...] = ("seed",)
    """The columns that a seed consists of, in its order."""
    whole: "ArmRuns | None" = None
    """If runs that share seeds were averaged here: the runs themselves; see `independent`."""

    @property
    def each(self) -> "ArmRuns":
        """The runs themselves, for counts and means: not averaged over shared seeds."""
        return self.whole or self

    @cached_property
    def observed(self) -> NDArray[np.float64]:
        """The losses of the runs that are done, shape (n_done,), nats."""
        return np.fromiter(self.losses.values(), float, len(self.losses))

    @cached_property
    def moments(self) -> tuple[float, float]:
        """Mean (nats) and variance of the done runs. Raises ValueError if there are none."""
        return moments(self.observed)

    @property
    def varies(self) -> bool:
        """True if the losses differ by more than rounding explains."""
        return self.moments[1] > rounding(float(np.abs(self.observed).max())) ** 2

    def at(self, seeds: Sequence[Seed]) -> NDArray[np.float64]:
        """The losses at `seeds`, shape (len(seeds),), nats."""
        return np.array([self.losses[seed] for seed in seeds], float)


def read_runs(frame: pd.DataFrame, arms: Sequence[str]) -> dict[str, ArmRuns]:
    """The runs of each of `arms`, in that order; an arm without rows has no runs.

    `frame` has the columns arm, loss (nats), status (one of `STATUSES`) and at least one of
    `SEED_COLUMNS`. Raises ValueError, naming the row, for a missing column, an arm that is not
    in `arms`, an unknown status, an arm and seed that occur twice, or a done run whose loss is
    not finite or beyond `MAX_LOSS`.
    """
    seeds = _checked_columns(frame)
    rows: dict[str, dict[Seed, tuple[str, float]]] = {arm: {} for arm in arms}
    keys = zip(*(frame[column].tolist() for column in seeds), strict=True)
    arm_and_status = (frame[name].tolist() for name in ("arm", "status"))
    losses = frame["loss"].astype(float).tolist()
    for seed, arm, status, loss in zip(keys, *arm_and_status, losses, strict=True):
        problem = _problem(rows, (arm, seed), (status, loss))
        if problem:
            named = ", ".join(f"{name} {value}" for name, value in zip(seeds, seed, strict=True))
            raise ValueError(f"arm {arm!r}, {named}: {problem}")
        rows[arm][seed] = (status, loss)
    return {arm: _arm_runs(arm, rows[arm], tuple(seeds)) for arm in arms}


def _checked_columns(frame: pd.DataFrame) -> list[str]:
    """Check the columns of a frame; returns its seed columns."""
    absent = [name for name in ("arm", "loss", "status") if name not in frame.columns]
    if absent:
        raise ValueError(f"the runs have no column {absent[0]!r}; they have {list(frame.columns)}")
    seeds = [name for name in SEED_COLUMNS if name in frame.columns]
    if not seeds:
        raise ValueError(f"the runs have no seed column; give one or more of {list(SEED_COLUMNS)}")
    if frame[seeds].isna().to_numpy().any():
        raise ValueError(f"a run lacks a seed; give every run a seed in each of {seeds}")
    return seeds


def _problem(
    rows: dict[str, dict[Seed, tuple[str, float]]],
    key: tuple[str, Seed],
    outcome: tuple[str, float],
) -> str | None:
    (arm, seed), (status, loss) = key, outcome
    if arm not in rows:
        return f"the plan has no such arm; it has {list(rows)}"
    if status not in STATUSES:
        return f"status {status!r} is none of {list(STATUSES)}"
    if seed in rows[arm]:
        return "occurs twice; leave out reruns, which are no new observations"
    if status == "done" and not abs(loss) <= MAX_LOSS:  # true for NaN too
        return f"is done with loss {loss}; a run without a loss has diverged"
    return None


def _arm_runs(
    arm: str, rows: dict[Seed, tuple[str, float]], seed_columns: tuple[str, ...]
) -> ArmRuns:
    # Sorted by seed, so that the order of the rows does not change how sums are rounded.
    done = {seed: rows[seed][1] for seed in sorted(rows) if rows[seed][0] == "done"}
    statuses = [status for status, _ in rows.values()]
    n_failed = statuses.count("failed")
    diverged = frozenset(seed for seed, (status, _) in rows.items() if status == "diverged")
    return ArmRuns(
        arm=arm,
        losses=done,
        diverged=diverged,
        n_failed=n_failed,
        n_missing=len(rows) - len(done) - len(diverged) - n_failed,
        seed_columns=seed_columns,
    )
