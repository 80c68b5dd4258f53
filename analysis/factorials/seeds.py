"""Effects of a factorial whose arms share seeds: each seed gives an estimate of every effect.

The estimate of a seed is a contrast of its runs. Everything that the arms of one seed have in common
cancels, as in a difference of two arms, and the spread of the contrasts over seeds is the noise of the
effect: no common variance of all arms is assumed, which would be wrong (why:
`docs/decisions/0017-designs.md`). Contrasts are judged as paired differences are: moderated where there are
enough of them, adjusted over the family, by e-values after a look.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ..arm_verdict import ArmVerdict
from ..digits import centred, resolution, rounding
from ..effect_verdict import EffectVerdict
from ..looks import Look
from ..rules import Plan
from ..verdict import judge
from .result import Effect, Question

REFERENCE = "no effect"
"""The arm with which contrasts are compared: zero for every seed."""
OPEN = frozenset({"queued", "running"})
"""A seed with such a run has no estimate yet: it would change when the run ends."""
Seed = Hashable
Weights = Mapping[str, float]
"""The weights of an effect, by arm; they add up to zero."""


WeightsOf = Callable[[frozenset[str]], Sequence[Weights | None]]
"""For the arms that a seed has: the weights of each question; None for one that they cannot tell."""


def judge_seeds(
    runs: pd.DataFrame, questions: Sequence[Question], weights_of: WeightsOf, plan: Plan
) -> list[Effect]:
    """Judge the effects by their contrasts in every seed; `plan` has the rules and the looks."""
    table = _contrasts(runs, questions, weights_of)
    done = runs.loc[runs["status"] == "done", "loss"].to_numpy(float)
    last_digit = max(resolution(done), plan.resolution)
    found: dict[str, Effect] = {}
    for family in ("main", "interaction"):
        chosen = [each for each in questions if each.family == family]
        if not chosen:
            continue
        names = [each.name for each in chosen]
        own = table[table["arm"].isin([REFERENCE, *names])]
        digit = last_digit * float(own["roundings"].max()) if len(own) else 0.0
        judged = judge(own.drop(columns="roundings"), _rules(plan, names, digit))
        rows = zip(chosen, judged.arms[1:], strict=True)
        found |= {question.name: _effect(question, row) for question, row in rows}
    return [found[each.name] for each in questions]


def _rules(plan: Plan, names: Sequence[str], digit: float) -> Plan:
    """The plan's rules for effects: they had the looks of the arms, of which the first one counts.

    `digit`: the last digit of a difference that rounding makes as uncertain as these contrasts.
    """
    look = _common_look(list(plan.looks.values()))
    seen = frozenset(names) if plan.seen_before and look is None else frozenset[str]()
    return replace(
        fixed_rules(plan, names),
        looks=dict.fromkeys(names, look) if look else {},
        seen_before=seen,
        resolution=digit,
    )


def fixed_rules(plan: Plan, names: Sequence[str]) -> Plan:
    """The plan's rules for effects of these names that had no look."""
    return Plan(
        arms=tuple(names),
        baseline=REFERENCE,
        alpha=plan.alpha,
        correction=plan.correction,
        smallest_effect=plan.smallest_effect,
        higher_is_better=plan.higher_is_better,
    )


def _common_look(looks: Sequence[Look]) -> Look | None:
    if not looks:
        return None
    seeds = frozenset.intersection(*(look.seeds for look in looks))
    return Look(
        seeds=seeds,
        baseline=seeds,
        extension=max(look.extension for look in looks),
        dropped=max(look.dropped for look in looks),
    )


def _contrasts(
    runs: pd.DataFrame, questions: Sequence[Question], weights_of: WeightsOf
) -> pd.DataFrame:
    """A row for each seed and effect, with the columns that `judge` reads, and `roundings`.

    Digits of contrasts do not show how the losses were rounded: `roundings` is the spread that it
    gives a contrast, beside that of a difference of two runs.
    """
    known: dict[frozenset[str], Sequence[Weights | None]] = {}
    rows: list[tuple[str, Seed, float, str, float]] = []
    for seed, own in runs.groupby("seed", sort=True):
        done = own[own["status"] == "done"]
        losses = dict(zip(done["arm"], centred(done["loss"].to_numpy(float)), strict=True))
        arms = frozenset(losses)
        waits = bool(own["status"].isin(OPEN).any())
        missing = "queued" if waits else "failed"
        scale = float(np.abs(done["loss"].to_numpy(float)).max(initial=0.0))
        if arms not in known:
            known[arms] = weights_of(arms)
        for question, found in zip(questions, known[arms], strict=True):
            each = None if waits else found
            value = np.nan if each is None else _sum(each, losses, scale)
            status = missing if each is None else "done"
            rows.append((question.name, seed, value, status, _roundings(each or {})))
        rows.append((REFERENCE, seed, 0.0, "done", 0.0))
    return pd.DataFrame(rows, columns=["arm", "seed", "loss", "status", "roundings"])


def _roundings(weights: Weights) -> float:
    return math.sqrt(sum(weight**2 for weight in weights.values()) / 2)


def _sum(weights: Weights, losses: Mapping[str, float], scale: float) -> float:
    total = float(np.sum([weight * losses[arm] for arm, weight in weights.items()]))
    return 0.0 if abs(total) <= rounding(scale) else total


def _effect(question: Question, row: ArmVerdict) -> Effect:
    verdict = {**row.values_of(EffectVerdict), "verdict": row.verdict or "undecided"}
    missing = row.n_missing + row.n_failed
    return Effect(**vars(question), **verdict, n=row.n_done, n_missing=missing)
