"""Cost of further seeds, estimated from the times of done runs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd


def seconds_per_run(runs: pd.DataFrame) -> dict[str, float]:
    """The median time of each arm's done runs, in seconds, in the order of their rows.

    `runs` has the columns arm, seconds and status. A median, because single runs are slow when they
    share a machine. Runs without a time are left out, and so are arms without a timed run. Raises
    ValueError for a missing column.
    """
    absent = [name for name in ("arm", "seconds", "status") if name not in runs.columns]
    if absent:
        raise ValueError(f"the runs have no column {absent[0]!r}; they have {list(runs.columns)}")
    timed = runs[(runs["status"] == "done") & np.isfinite(runs["seconds"].to_numpy(float))]
    medians = timed.groupby("arm", sort=False)["seconds"].median()
    return {str(arm): float(seconds) for arm, seconds in medians.items()}


def seconds_to_settle(
    seeds: int | None, arm: str, baseline: str, per_run: Mapping[str, float]
) -> float | None:
    """Seconds of training that `seeds` further seeds of an arm and of its baseline would take.

    `per_run` comes from `seconds_per_run`. None if `seeds` is None, or if neither arm nor baseline
    has a time. If only one has, the other is assumed to be as slow.
    """
    known = [per_run[name] for name in (arm, baseline) if name in per_run]
    if seeds is None or not known:
        return None
    return seeds * 2 * sum(known) / len(known)
