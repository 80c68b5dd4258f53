"""Further tests of a study, beside those that decide its verdicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import fdtrc

from .arm_verdict import ArmVerdict, Judgement
from .decision import make_claims
from .dunnett import Simultaneous, dunnett
from .effects import Estimate
from .independent import held_streams, independent_losses
from .multiplicity import CORRECTIONS
from .rules import Plan
from .run_order import RunOrder, run_order
from .runs import read_runs
from .two_samples import mann_whitney_p, permutation_p

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ArmDetails:
    """Further tests of one arm against the baseline; None if a test does not apply. In nats."""

    arm: str
    p_less: float | None
    """One-sided p of the verdict's estimate: small if the effect is below zero."""
    p_greater: float | None
    p_negligible: float | None
    """The larger p of two one-sided tests against +-delta, not adjusted."""
    equivalence_low: float | None
    """The 1 - 2 alpha interval of these two tests."""
    equivalence_high: float | None
    p_mann_whitney: float | None
    """Two-sided; pairs are ignored."""
    p_permutation_unpaired: float | None
    """Two-sided, of the difference of means; pairs are ignored."""
    dunnett: Simultaneous | None = None
    """Simultaneous for all arms; pairs are ignored, and all arms are taken to be equally noisy."""
    p_adjusted_by: Mapping[str, float | None] = field(default_factory=dict)
    """The p of the verdict, adjusted over the family by every correction."""


@dataclass(frozen=True, kw_only=True)
class BrownForsythe:
    """The test of Brown and Forsythe (1974, JASA 69, 364-367): are all arms equally noisy?

    Robust against heavy tails, unlike Bartlett's. Runs are taken to be independent: shared seeds
    make its p too large, since they are noisy in all arms together.
    """

    f: float
    df: tuple[int, int]
    p: float


@dataclass(frozen=True, kw_only=True)
class Details:
    """Further tests of a study."""

    arms: Sequence[ArmDetails]
    brown_forsythe: BrownForsythe | None
    """Over all arms with two runs, the baseline's included; None if fewer than two have them."""
    run_order: RunOrder | None
    """None if it is unknown when runs ended."""


def details(
    runs: pd.DataFrame, plan: Plan, judgement: Judgement, finished: pd.DataFrame | None = None
) -> Details:
    """Further tests of the runs that `judgement` was made of.

    `runs` as for `verdict.judge`; for `finished` see `run_order.run_order`.
    """
    by_arm = read_runs(runs, (plan.baseline, *plan.arms))
    held = held_streams(by_arm.values())
    values = {arm: independent_losses(each, held) for arm, each in by_arm.items()}
    simultaneous, adjusted = _dunnett(values, plan), _adjusted(judgement.arms[1:], plan)
    arms = [
        replace(
            _arm(row, (values[row.arm], values[plan.baseline]), plan),
            dunnett=simultaneous.get(row.arm),
            p_adjusted_by={name: p[i] for name, p in adjusted.items()},
        )
        for i, row in enumerate(judgement.arms[1:])
    ]
    return Details(
        arms=arms,
        brown_forsythe=brown_forsythe(list(values.values())),
        run_order=None if finished is None else run_order(finished),
    )


def _arm(row: ArmVerdict, sides: tuple[Floats, Floats], plan: Plan) -> ArmDetails:
    estimate, known = _estimate(row), min(side.size for side in sides) > 0
    low, high = estimate.interval(2 * plan.alpha) if estimate else (None, None)
    return ArmDetails(
        arm=row.arm,
        p_less=estimate.p_below(0.0) if estimate else None,
        p_greater=estimate.p_above(0.0) if estimate else None,
        p_negligible=row.p_negligible,
        equivalence_low=low,
        equivalence_high=high,
        p_mann_whitney=mann_whitney_p(*sides) if known else None,
        p_permutation_unpaired=permutation_p(*sides) if known else None,
    )


def _estimate(row: ArmVerdict) -> Estimate | None:
    """The estimate of a verdict by a t test; None for other verdicts, such as one by e-values."""
    effect, error, df, method = row.effect, row.standard_error, row.df, row.method
    if effect is None or error is None or df is None or method is None or method == "e-value":
        return None
    return Estimate(method=method, effect=effect, standard_error=error, df=df)


def _adjusted(rows: Sequence[ArmVerdict], plan: Plan) -> dict[str, list[float | None]]:
    """The p-values of all arms, adjusted by every correction."""
    p = [math.nan if row.p is None else row.p for row in rows]
    return {
        name: [
            None if math.isnan(claim.p) else claim.p_adjusted
            for claim in make_claims(p, replace(plan, correction=name))
        ]
        for name in CORRECTIONS
    }


def _dunnett(values: Mapping[str, Floats], plan: Plan) -> Mapping[str, Simultaneous]:
    """Dunnett's comparisons by arm; empty if there is nothing to compare."""
    rows = [(arm, i, loss) for arm, own in values.items() for i, loss in enumerate(own)]
    frame = pd.DataFrame(rows, columns=["arm", "seed", "loss"]).assign(status="done")
    try:
        return dunnett(frame, plan.baseline, plan.alpha)
    except ValueError:  # no runs of the baseline or of an arm, or none that differ
        return {}


def brown_forsythe(arms: Sequence[Floats]) -> BrownForsythe | None:
    """Brown and Forsythe's test of losses by arm, each of shape (n,); arms with one run are left out.

    None if fewer than two arms are left, or if none of them varies.
    """
    deviations = [np.abs(x - np.median(x)) for x in arms if x.size > 1]
    n, k = sum(z.size for z in deviations), len(deviations)
    if k < 2 or n <= k:
        return None
    centre = float(np.concatenate(deviations).mean())
    between = sum(z.size * (float(z.mean()) - centre) ** 2 for z in deviations) / (k - 1)
    within = sum(float(((z - z.mean()) ** 2).sum()) for z in deviations) / (n - k)
    if within == 0:
        return None
    f = between / within
    return BrownForsythe(f=f, df=(k - 1, n - k), p=float(fdtrc(k - 1, n - k, f)))
