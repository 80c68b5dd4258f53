"""Dunnett's simultaneous comparisons of all arms with the baseline, without paired seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

from .digits import difference
from .effects import moments
from .independent import held_streams, independent_losses
from .quadrature import WEIGHTS, normal_rule, relative_errors
from .runs import read_runs


@dataclass(frozen=True, kw_only=True)
class Simultaneous:
    """One arm's effect (nats), with a p and an interval that are simultaneous for all arms."""

    arm: str
    effect: float
    p: float
    ci_low: float
    ci_high: float


def dunnett(
    runs: pd.DataFrame, baseline: str = "baseline", alpha: float = 0.05
) -> dict[str, Simultaneous]:
    """All arms against the baseline at once (Dunnett 1955, JASA 50, 1096-1121), two-sided.

    `runs` as for `verdict.judge`; rows that are not done are left out, and pairs are ignored. Runs
    that share seeds count once per seed. Arms and baseline are assumed to be equally noisy. Arms
    without a done run are not in the result. Raises ValueError as `runs.read_runs` does, for a
    baseline without done runs, and for runs that do not vary.
    """
    arms = dict.fromkeys([baseline, *runs["arm"]])
    by_arm = read_runs(runs, list(arms))
    held = held_streams(by_arm.values())
    done = {arm: independent_losses(each, held) for arm, each in by_arm.items() if each.losses}
    control = done.pop(baseline, None)
    if control is None or not done:
        raise ValueError(f"Dunnett's test needs done runs of {baseline!r} and of another arm")
    groups = [difference(losses, control[0]) for losses in (control, *done.values())]
    df = sum(group.size - 1 for group in groups)
    squares = sum(moments(group)[1] * (group.size - 1) for group in groups if group.size > 1)
    if squares == 0:
        raise ValueError("Dunnett's test needs an arm with two done runs that differ")
    zero, *others = groups
    sizes = [group.size for group in others]
    largest = LargestT(sizes, zero.size, df)
    critical = largest.critical(alpha)
    found = {}
    for arm, group in zip(done, others, strict=True):
        effect = moments(group)[0] - moments(zero)[0]
        error = math.sqrt(squares / df * (1 / group.size + 1 / zero.size))
        found[arm] = Simultaneous(
            arm=arm,
            effect=effect,
            p=largest.tail_probability(abs(effect) / error),
            ci_low=effect - critical * error,
            ci_high=effect + critical * error,
        )
    return found


class LargestT:
    """The distribution of the largest |t| of arms that share a baseline and a variance.

    Given the baseline's mean and the estimated variance the arms are independent, so that the
    distribution is a double integral for any number of arms.
    """

    def __init__(self, sizes: Sequence[int], baseline: int, df: float) -> None:
        """Set up for arms with `sizes` runs, `baseline` runs of the baseline, and the variance's `df`."""
        self.df, self.arms = df, len(sizes)
        unique, self.counts = np.unique(sizes, return_counts=True)
        self.shared = np.sqrt(unique / (unique + baseline))
        self.own = np.sqrt(baseline / (unique + baseline))
        self.deviates, self.weights = normal_rule(float(self.own.min()) / 4)

    def tail_probability(self, t: float) -> float:
        """The probability that the largest |t| exceeds `t` if no arm has an effect."""
        limit = t * relative_errors(self.df)[:, None]
        log_inside = np.zeros((WEIGHTS.size, self.weights.size))
        for shared, own, count in zip(self.shared, self.own, self.counts, strict=True):
            of_baseline = shared * self.deviates
            tails = ndtr((of_baseline - limit) / own) + ndtr((-of_baseline - limit) / own)
            log_inside += count * np.log1p(-np.minimum(tails, 1 - 1e-16))
        return float(WEIGHTS @ -np.expm1(log_inside) @ self.weights)

    def critical(self, alpha: float) -> float:
        """The t that the largest |t| exceeds with probability `alpha`."""
        low, high = 0.0, -float(stdtrit(self.df, alpha / 2 / self.arms))  # Bonferroni's
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self.tail_probability(middle) > alpha else (low, middle)
        return high
