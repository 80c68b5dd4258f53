"""Effects that are a contrast of a few arms: what designs of pairs and leave-one-out ask."""

from collections.abc import Sequence

import pandas as pd

from ..rules import Plan
from .result import FactorialResult, Question
from .seeds import Weights, judge_seeds
from .terms import Factors, Levels, Term

Asked = tuple[Question, Weights]


def beyond_the_sum(factors: Factors) -> list[Asked]:
    """For each two levels of two factors: both together, less the sum of each alone."""
    arms = {levels: arm for arm, levels in factors.cells.items()}
    none: Levels = (0,) * len(factors.names)
    found: list[Asked] = []
    for term in factors.terms(2):
        one, other = term.parts
        wanted = [_at(none, term.parts), none, _at(none, (one,)), _at(none, (other,))]
        if all(levels in arms for levels in wanted):
            weights = dict(
                zip((arms[each] for each in wanted), (1.0, 1.0, -1.0, -1.0), strict=True)
            )
            found.append((Question(name=factors.label(term), family="interaction"), weights))
    return found


def beside_all_others(factors: Factors) -> list[Asked]:
    """For each factor: all interventions together, less all but this one."""
    arms = {levels: arm for arm, levels in factors.cells.items()}
    every: Levels = (1,) * len(factors.names)
    found: list[Asked] = []
    for place in range(len(factors.names)):
        without = _at(every, ((place, 0),))
        if every in arms and without in arms:
            name = factors.label(Term(((place, 1),)))
            found.append(
                (Question(name=name, family="main"), {arms[every]: 1.0, arms[without]: -1.0})
            )
    return found


def judge_contrasts(runs: pd.DataFrame, asked: Sequence[Asked], plan: Plan) -> FactorialResult:
    """Judge contrasts of arms that share seeds; `runs` as `judge_factorial` reads them."""
    questions = [question for question, _ in asked]

    def weights_of(arms: frozenset[str]) -> Sequence[Weights | None]:
        return [weights if weights.keys() <= arms else None for _, weights in asked]

    effects = judge_seeds(runs, questions, weights_of, plan)
    return FactorialResult(
        mode="paired",
        effects=effects,
        families={questions[0].family: len(questions)} if questions else {},
        n_seeds=max((each.n for each in effects), default=0),
    )


def _at(levels: Levels, parts: Sequence[tuple[int, int]]) -> Levels:
    changed = dict(parts)
    return tuple(changed.get(place, level) for place, level in enumerate(levels))
