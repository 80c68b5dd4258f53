"""The full factorial: every combination of interventions that are no alternatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

from sweep.design.combinations import Design, combined_arms, in_file_order, too_many_arms
from sweep.design.factors import Factor, Members, find_factors
from sweep.study.file import Study
from sweep.study.names import BASELINE


def factorial(study: Study) -> Design:
    """List the arms in standard order: the first factor changes fastest."""
    factors = find_factors(study)
    arms = prod(len(factor.levels) + 1 for factor in factors)
    if wrong := too_many_arms(study, arms, len(study.interventions)):
        return {BASELINE: ()}, wrong
    return combined_arms(study, _sets(study, factors))


def _sets(study: Study, factors: Sequence[Factor]) -> Iterator[Members]:
    choices = [((), *((level,) for level in factor.levels)) for factor in reversed(factors)]
    for chosen in product(*choices):
        yield in_file_order(study, [name for each in chosen for name in each])
