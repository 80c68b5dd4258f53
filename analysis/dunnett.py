"""Dunnett's simultaneous comparisons of all arms with the baseline, where no seeds are paired."""

from dataclasses import dataclass

import pandas as pd

from analysis.digits import difference
from analysis.runs import read_runs


@dataclass(frozen=True, kw_only=True)
class Simultaneous:
    """One arm's effect with a p and an interval that hold for all arms at once; nats."""

    arm: str
    effect: float
    p: float
    ci_low: float
    ci_high: float


def dunnett(
    runs: pd.DataFrame, baseline: str = "baseline", alpha: float = 0.05
) -> dict[str, Simultaneous]:
    """All arms against the baseline at once, as scipy does it (Dunnett 1955, JASA 50, 1096-1121).

    `runs` as `verdict.judge` takes them; rows that are not done are left out, and pairs are not
    made use of. Arms and baseline are taken to be equally noisy. Arms without a done run are
    absent from the answer. Seeded: the same runs give the same digits. Raises ValueError as
    `runs.read_runs` does, for a baseline without done runs, or with too few runs for a spread.
    """
    import numpy as np  # noqa: PLC0415
    from scipy.stats import dunnett as by_scipy  # noqa: PLC0415  (two seconds to import)

    arms = dict.fromkeys([baseline, *runs["arm"]])
    done = {arm: each.observed for arm, each in read_runs(runs, list(arms)).items() if each.losses}
    control = done.pop(baseline, None)
    if control is None or not done:
        raise ValueError(f"Dunnett's test needs done runs of {baseline!r} and of another arm")
    if sum(losses.size - 1 for losses in (control, *done.values())) < 1:
        raise ValueError("Dunnett's test needs an arm with two done runs, to see a spread")
    centred = {arm: difference(losses, control[0]) for arm, losses in done.items()}
    zero = difference(control, control[0])
    found = by_scipy(*centred.values(), control=zero, rng=np.random.default_rng(0))
    intervals = found.confidence_interval(1 - alpha)
    low, high = np.atleast_1d(intervals.low), np.atleast_1d(intervals.high)
    return {
        arm: Simultaneous(
            arm=arm,
            effect=float(losses.mean() - zero.mean()),
            p=float(found.pvalue[i]),
            ci_low=float(low[i]),
            ci_high=float(high[i]),
        )
        for i, (arm, losses) in enumerate(centred.items())
    }
