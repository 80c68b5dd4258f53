"""The design of pairs: the baseline, each intervention alone, and every two of them together."""

from __future__ import annotations

from itertools import combinations

from sweep.design.combinations import Design, combined_arms, in_file_order, too_many_arms
from sweep.design.factors import find_factors
from sweep.study.file import Study


def pairs(study: Study) -> Design:
    """List the arms; alternatives are never combined."""
    factors = find_factors(study)
    alone = [(level,) for factor in factors for level in factor.levels]
    together = [
        in_file_order(study, (first, second))
        for one, other in combinations(factors, 2)
        for first in one.levels
        for second in other.levels
    ]
    found, mistakes = combined_arms(study, [*alone, *together])
    return found, [*mistakes, *too_many_arms(study, len(found), len(study.interventions))]
