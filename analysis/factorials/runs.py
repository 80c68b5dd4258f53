"""Effects of a factorial whose runs share no seeds: one linear model, or Lenth's test.

With more runs than effects, the residuals give the noise: in a full factorial those of repeated runs
about the mean of their combination. Without, the noise is that of the small effects (`lenth`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..decision import Decision, decide
from ..digits import centred, resolution, rounding
from ..effects import Estimate
from ..rules import Plan
from ..unpaired import run_variance
from .lenth import MIN_CONTRASTS, LenthEstimate, null_of, pseudo_standard_error
from .model import Model, solver, without
from .result import Effect, LenthMargins, Mode, Question
from .seeds import fixed_rules
from .terms import Factors, Levels

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A linear model of all runs."""

    effects: Floats
    """In the order of the model's chains."""
    errors: Floats
    """Standard errors divided by the noise of a run."""
    noise: float | None
    """Standard deviation of a run; None without residuals."""
    df: float
    scale: float
    """The largest value, which rounding is relative to."""


def fit(
    factors: Factors, model: Model, rows: Sequence[Levels], values: Floats, nuisance: Floats
) -> Fit:
    """Fit a model by least squares; `rows` are the levels of each run, `values` what it measured."""
    columns = without(factors.columns(model.terms, rows), nuisance)
    y = without(centred(values)[:, None], nuisance)[:, 0]
    inverse = solver(columns)
    effects = inverse @ y
    df = len(values) - int(np.linalg.matrix_rank(nuisance)) - len(model.chains)
    residuals = y - columns @ effects
    scale = float(np.abs(values).max(initial=0.0))
    noise = float(np.sqrt(residuals @ residuals / df)) if df > 0 else None
    least = max(rounding(scale), float(np.sqrt(run_variance(resolution(values)))))
    return Fit(
        effects=np.where(np.abs(effects) <= rounding(scale), 0.0, effects),
        errors=np.sqrt((inverse**2).sum(axis=1)),
        noise=None if noise is None else max(noise, least),
        df=float(df),
        scale=scale,
    )


def judge_fit(
    questions: Sequence[Question], found: Fit, model: Model, plan: Plan, n: int
) -> tuple[Mode, list[Effect], LenthMargins | None]:
    """Judge the first effects of a fit, those that `questions` ask for; `n` is the number of runs."""
    pse = float(pseudo_standard_error(found.effects)) if found.effects.size else 0.0
    mode: Mode = "none"
    if found.noise is not None:
        mode = "pooled"
    elif model.orthogonal and found.effects.size >= MIN_CONTRASTS and pse > rounding(found.scale):
        mode = "Lenth"
    estimates = [_estimate(mode, found, place, pse) for place in range(len(questions))]
    effects: list[Effect] = []
    for family in ("main", "interaction"):
        places = [place for place, each in enumerate(questions) if each.family == family]
        chosen = [estimates[place] for place in places]
        rules = fixed_rules(plan, [questions[place].name for place in places])
        judged = [(each, np.nan if each is None else each.p) for each in chosen]
        decisions = decide(judged, rules)
        effects += [
            _effect(
                questions[place], float(found.effects[place]), estimates[place], decision, rules
            )
            for place, decision in zip(places, decisions, strict=True)
        ]
    margins = _margins(found, pse, plan.alpha) if mode == "Lenth" else None
    return mode, [replace(each, n=n) for each in effects], margins


def _estimate(mode: Mode, found: Fit, place: int, pse: float) -> Estimate | None:
    effect = float(found.effects[place])
    if mode == "pooled" and found.noise is not None:
        error = found.noise * float(found.errors[place])
        return Estimate(method="pooled t", effect=effect, standard_error=error, df=found.df)
    if mode == "Lenth":
        contrasts = found.effects.size
        return LenthEstimate(
            method="Lenth",
            effect=effect,
            standard_error=pse,
            df=contrasts / 3,
            contrasts=contrasts,
        )
    return None


def _margins(found: Fit, pse: float, alpha: float) -> LenthMargins:
    null = null_of(found.effects.size)
    return LenthMargins(
        contrasts=found.effects.size,
        pse=pse,
        margin=null.margin(alpha) * pse,
        simultaneous_margin=null.simultaneous_margin(alpha) * pse,
    )


def _effect(
    question: Question, size: float, estimate: Estimate | None, decision: Decision, plan: Plan
) -> Effect:
    effect = Effect(**vars(question), effect=size)
    if estimate is None:
        return effect
    low, high = estimate.interval(plan.alpha)
    interval = decision.interval
    negligible = decision.verdict == "negligible"
    return replace(
        effect,
        standard_error=estimate.standard_error,
        df=estimate.df,
        ci_low=low,
        ci_high=high,
        ci_low_adjusted=interval.low if interval else None,
        ci_high_adjusted=interval.high if interval else None,
        ci_level=1 - interval.level if interval else None,
        p=estimate.p,
        p_adjusted=decision.differs.p_adjusted,
        p_negligible_adjusted=decision.negligible.p_adjusted,
        method=estimate.method,
        verdict=decision.verdict,
        real_but_negligible=negligible and decision.differs.p_adjusted < plan.alpha,
    )
