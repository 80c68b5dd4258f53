"""The effects of a factorial: main effects, interactions, their aliases, and their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from ..rules import Plan
from .model import RANK_TOLERANCE, Chain, Model, choose_model, solver, without
from .result import Effect, FactorialResult, Point, Question
from .runs import fit, judge_fit
from .seeds import OPEN, Weights, judge_seeds
from .terms import Factors, Term

Floats = NDArray[np.float64]

MIN_SEEDS = 2
"""Minimum number of seeds whose contrasts are compared."""
MANY_FACTORS = 6
"""Aliases of three factors are named up to so many factors."""
MAX_ALIASES = 12
"""Maximum number of aliases that are named."""


def judge_factorial(
    runs: pd.DataFrame, factors: Factors, plan: Plan, *, paired: bool, blocks: bool = False
) -> FactorialResult:
    """Estimate and judge the effects of all factors.

    `runs` has the columns arm, seed, loss and status, as `verdict.judge` reads them; arms are those
    of `factors`. With `paired`, runs of one seed are compared with each other; without, all runs are
    in one linear model, with a mean for every seed if they are `blocks`.
    """
    known = runs[runs["arm"].isin(list(factors.cells))]
    if paired:
        chosen = _choose_seeds(known, factors)
        if chosen is not None:
            return _judge_paired(known, chosen, plan)
    found = _judge_unpaired(known, factors, plan, blocks=paired or blocks)
    if not known["status"].isin(OPEN).any():
        return found
    effects = [replace(each, basis="provisional") for each in found.effects]
    return replace(found, effects=effects)


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """The arms that count, and the model that they allow."""

    factors: Factors
    model: Model
    arms_left_out: tuple[str, ...]
    usable: int
    """Seeds in which the model can be estimated."""
    left_out: int
    """Seeds with a result in which it cannot."""


def _choose_seeds(runs: pd.DataFrame, factors: Factors) -> _Chosen | None:
    """Leave out arms with few results until most seeds can be used; None if two cannot."""
    waiting = runs.loc[runs["status"].isin(OPEN), "seed"]
    done = runs[(runs["status"] == "done") & ~runs["seed"].isin(waiting)]
    by_seed = {seed: frozenset(own["arm"]) for seed, own in done.groupby("seed")}
    counts = done["arm"].value_counts().to_dict()
    arms = [arm for arm in factors.cells if counts.get(arm)]
    best: _Chosen | None = None
    while len(arms) > 1:
        kept = replace(factors, cells={arm: factors.cells[arm] for arm in arms})
        model = _model(kept)
        usable = sum(
            _weights(kept, model, have & set(arms)) is not None for have in by_seed.values()
        )
        gone = tuple(arm for arm in factors.cells if arm not in arms)
        found = _Chosen(
            factors=kept,
            model=model,
            arms_left_out=gone,
            usable=usable,
            left_out=len(by_seed) - usable,
        )
        if usable >= MIN_SEEDS and (best is None or usable >= 2 * best.usable):
            best = found
        fewest = min(counts[arm] for arm in arms)
        if fewest == len(by_seed) or (best and 2 * best.usable >= len(by_seed)):
            break
        arms = [arm for arm in arms if counts[arm] > fewest]
    return best


def _model(factors: Factors) -> Model:
    rows = list(factors.cells.values())
    return choose_model(factors, rows, np.ones((len(rows), 1)))


def _weights(factors: Factors, model: Model, arms: frozenset[str]) -> list[Weights] | None:
    """The weights of each effect, for a seed that has these arms; None if they cannot tell them.

    With all arms the whole model is fitted; with fewer, main effects and interactions of two.
    """
    present = [arm for arm in factors.cells if arm in arms]
    terms = model.terms
    if len(present) < len(factors.cells):
        terms = [term for term in terms if term.order <= 2]
    if len(present) <= len(terms):
        return None
    rows = [factors.cells[arm] for arm in present]
    columns = without(factors.columns(terms, rows), np.ones((len(rows), 1)))
    if np.linalg.matrix_rank(columns, tol=RANK_TOLERANCE) < len(terms):
        return None
    return [dict(zip(present, row.tolist(), strict=True)) for row in solver(columns)]


def _judge_paired(runs: pd.DataFrame, chosen: _Chosen, plan: Plan) -> FactorialResult:
    factors, model = chosen.factors, chosen.model
    questions = _questions(factors, model)

    def weights_of(arms: frozenset[str]) -> Sequence[Weights | None]:
        found = _weights(factors, model, arms)
        return [None] * len(questions) if found is None else found[: len(questions)]

    kept = runs[runs["arm"].isin(list(factors.cells))]
    effects = judge_seeds(kept, questions, weights_of, plan)
    done = kept[kept["status"] == "done"]
    means = done.groupby("arm")["loss"].mean()
    rows = list(factors.cells.values())
    values = np.array([means[arm] for arm in factors.cells])
    found = fit(factors, model, rows, values, np.ones((len(rows), 1)))
    result = _result(factors, model, effects, found.effects)
    return replace(
        result,
        mode="paired",
        n_seeds=chosen.usable,
        seeds_left_out=chosen.left_out,
        arms_left_out=chosen.arms_left_out,
    )


def _judge_unpaired(
    runs: pd.DataFrame, factors: Factors, plan: Plan, *, blocks: bool
) -> FactorialResult:
    done = runs[runs["status"] == "done"]
    arms = set(done["arm"])
    gone = tuple(arm for arm in factors.cells if arm not in arms)
    kept = replace(factors, cells={arm: at for arm, at in factors.cells.items() if arm in arms})
    if not kept.cells:
        return FactorialResult(mode="none", arms_left_out=gone)
    rows = [kept.cells[arm] for arm in done["arm"]]
    nuisance = _blocks(done) if blocks else np.ones((len(rows), 1))
    model = choose_model(kept, rows, nuisance)
    found = fit(kept, model, rows, done["loss"].to_numpy(float), nuisance)
    questions = _questions(kept, model)
    mode, effects, margins = judge_fit(questions, found, model, plan, len(rows))
    result = _result(kept, model, effects, found.effects)
    return replace(
        result, mode=mode, lenth=margins, arms_left_out=gone, residual_df=max(found.df, 0.0)
    )


def _blocks(done: pd.DataFrame) -> Floats:
    """A column for each seed, so that what its runs have in common counts as no effect."""
    return np.asarray(pd.get_dummies(done["seed"]).to_numpy(float), float)


def _questions(factors: Factors, model: Model) -> list[Question]:
    """The main effects and the interactions of two, in the order of the model."""
    return [
        Question(
            name=factors.label(chain.term),
            family="main" if chain.term.order == 1 else "interaction",
            aliases=tuple(_aliases(factors, chain)),
        )
        for chain in model.chains
        if chain.term.order <= 2
    ]


def _aliases(factors: Factors, chain: Chain) -> list[str]:
    most = 3 if len(factors.names) <= MANY_FACTORS else 2
    named = [
        f"{'+' if sign > 0 else '-'} {factors.label(term)}"
        for sign, term in chain.aliases
        if term.order <= most
    ]
    further = len(named) - MAX_ALIASES
    return [*named[:MAX_ALIASES], *([f"{further} more"] if further > 0 else [])]


def _result(
    factors: Factors, model: Model, effects: Sequence[Effect], sizes: Floats
) -> FactorialResult:
    def names(terms: Sequence[Term]) -> list[str]:
        return [factors.label(term) for term in terms]

    families = {
        family: sum(each.family == family for each in effects) for family in ("main", "interaction")
    }
    return FactorialResult(
        mode="none",
        effects=effects,
        families={family: count for family, count in families.items() if count},  # type: ignore[misc]
        points=_points(factors, model, sizes),
        not_estimable=names(
            [*model.dependent, *(term for _, term in model.constant if term.order == 1)]
        ),
        defining_relation=[
            f"{'+' if sign > 0 else '-'} {factors.label(term)}"
            for sign, term in model.constant
            if sign and term.order > 1
        ],
        confounded_with_blocks=names([term for sign, term in model.constant if not sign]),
        taken_for_zero=names(model.left_out),
        partial=[
            (factors.label(each.main), factors.label(each.other), each.share)
            for each in model.partial
        ],
        is_orthogonal=model.orthogonal,
    )


def _points(factors: Factors, model: Model, sizes: Floats) -> list[Point]:
    order = np.argsort(np.abs(sizes), kind="stable")
    count = len(order)
    return [
        Point(
            name=factors.label(model.chains[place].term),
            order=model.chains[place].term.order,
            effect=float(sizes[place]),
            size=abs(float(sizes[place])),
            quantile=float(ndtri(0.5 + 0.5 * (rank + 0.5) / count)),
        )
        for rank, place in enumerate(order.tolist())
    ]
