"""The noise of scores that a judge gives: between seeds, items and repeats; bias by position.

A verdict compares arms on the same test items, so that it holds for these items. Whether it would
hold for others is another question, as for the chunks of a test text: the model of the difference
to the baseline is y = mean + seed + item + seed:item + repeat, with random effects.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from scipy.special import stdtrit

from .correlation import correlation, fisher_interval
from .variance.anova import RESIDUAL
from .variance.estimate import variance_components

SEED, ITEM, BOTH = "seed", "item", "seed:item"
MIN_LEVELS = 2


@dataclass(frozen=True, kw_only=True)
class ScoreNoise:
    """The spread of an arm's differences to the baseline, in points."""

    arm: str
    seeds: int
    items: int
    """Items that have all scores of both arms."""
    repeats: int
    effect: float
    """Arm minus baseline, over these items."""
    sd_seeds: float
    sd_items: float
    sd_rest: float
    """Of seed:item; with one repeat, it includes the judge's own noise."""
    sd_repeats: float | None
    """The judge's own noise: between repeats of a prompt. None with one repeat."""
    se: float
    """Standard error of the effect for other seeds, items and repeats."""
    ci_low: float
    """The 1 - alpha interval that goes with it, by a t distribution with as many degrees of freedom as
    the rarer of seeds and items has: too wide rather than too narrow."""
    ci_high: float


@dataclass(frozen=True, kw_only=True)
class PositionBias:
    """How much a judge favours a place in its prompts."""

    position: int
    """From 0."""
    answers: int
    bias: float
    """Mean score there, less those of the same prompt and of the same arm, in points."""
    se: float
    """Standard error of the bias, as if prompts were independent."""


@dataclass(frozen=True, kw_only=True)
class LossAndScore:
    """The correlation of two metrics over runs."""

    runs: int
    r: float
    low: float
    """The 1 - alpha interval, as if runs were independent."""
    high: float


def score_noise(scores: pd.DataFrame, baseline: str, alpha: float = 0.05) -> dict[str, ScoreNoise]:
    """The noise of each arm's difference to the baseline, by arm.

    `scores` has the columns arm, seed, item, repeat and score; missing scores have no row. Arms with
    fewer than two seeds or items in common with the baseline are left out.
    """
    index = [SEED, ITEM, "repeat"]
    tables = {str(arm): of_arm for arm, of_arm in scores.groupby("arm", sort=False)}
    if baseline not in tables:
        return {}
    reference = tables.pop(baseline).set_index(index)["score"]
    found = {
        arm: _noise(arm, (of_arm.set_index(index)["score"] - reference).dropna(), alpha)
        for arm, of_arm in tables.items()
    }
    return {arm: noise for arm, noise in found.items() if noise is not None}


def _noise(arm: str, differences: "pd.Series[float]", alpha: float) -> ScoreNoise | None:
    every = differences.rename("difference").reset_index()
    scored = every.groupby(ITEM)["difference"].transform("size")
    frame = every[scored == scored.max()]
    seeds, items, repeats = (frame[name].nunique() for name in (SEED, ITEM, "repeat"))
    if seeds < MIN_LEVELS or items < MIN_LEVELS or len(frame) != seeds * items * repeats:
        return None
    terms = [SEED, ITEM, BOTH] if repeats > 1 else [SEED, ITEM]
    parts = variance_components(frame, terms, "difference", alpha)
    variances = {part.term: max(part.variance, 0.0) for part in parts.parts}
    cells = {SEED: seeds, ITEM: items, BOTH: seeds * items, RESIDUAL: len(frame)}
    error = math.sqrt(sum(variance / cells[term] for term, variance in variances.items()))
    margin = -float(stdtrit(min(seeds, items) - 1, alpha / 2)) * error
    rest = variances[BOTH] if repeats > 1 else variances[RESIDUAL]
    return ScoreNoise(
        arm=arm,
        seeds=seeds,
        items=items,
        repeats=repeats,
        effect=parts.mean,
        sd_seeds=math.sqrt(variances[SEED]),
        sd_items=math.sqrt(variances[ITEM]),
        sd_rest=math.sqrt(rest),
        sd_repeats=math.sqrt(variances[RESIDUAL]) if repeats > 1 else None,
        se=error,
        ci_low=parts.mean - margin,
        ci_high=parts.mean + margin,
    )


def position_bias(scores: pd.DataFrame) -> list[PositionBias]:
    """The bias of each position; empty if scores have no positions, or prompts one answer.

    `scores` has the columns of `score_noise`, and position. Each score is taken less the mean of its
    prompt and that of its arm over all prompts: arms are in every place about equally often.
    """
    placed = scores.dropna(subset=["position"])
    if placed.empty or placed["position"].nunique() < MIN_LEVELS:
        return []
    score = placed["score"]
    prompt = score.groupby([placed[name] for name in (SEED, ITEM, "repeat")]).transform("mean")
    arm = score.groupby(placed["arm"]).transform("mean")
    rest = score - prompt - (arm - score.mean())
    return [
        PositionBias(
            position=int(position),
            answers=len(values),
            bias=float(values.mean()),
            se=float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.inf,
        )
        for position, values in rest.groupby(placed["position"])
    ]


def loss_and_score(
    losses: Mapping[str, float], scores: Mapping[str, float], alpha: float = 0.05
) -> LossAndScore | None:
    """The correlation of losses and scores by run; None below three runs, or without spread."""
    runs = [run for run in losses if run in scores]
    r = correlation([losses[run] for run in runs], [scores[run] for run in runs])
    if r is None:
        return None
    low, high = fisher_interval(r, len(runs), alpha)
    return LossAndScore(runs=len(runs), r=r, low=low, high=high)
