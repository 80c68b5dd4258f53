"""The leave-one-out design: the baseline, all interventions together, and all but each one."""

from __future__ import annotations

from sweep.design.combinations import KIND, Design, combined_arms, in_file_order
from sweep.design.factors import find_factors
from sweep.study.file import Study
from sweep.study.mistakes import Mistake
from sweep.study.names import BASELINE

ALL = "all"
"""Name of the arm with every intervention."""
WITHOUT = "without-"
"""Begins the name of an arm that leaves one intervention out."""


def leave_one_out(study: Study) -> Design:
    """List the arms; the mistakes are alternatives, names that are taken, and too few interventions.

    Names say what is left out, not what is left: `without-clip`.
    """
    factors = find_factors(study)
    several = [factor for factor in factors if len(factor.levels) > 1]
    if several:
        names = " and ".join(map(repr, several[0].levels))
        sentence = (
            f"'design.kind' = 'leave-one-out' puts all interventions into one arm, and {names} are "
            "alternatives; keep one of them in the study"
        )
        return {BASELINE: ()}, [Mistake(KIND, sentence)]
    if len(factors) < 2:
        sentence = "'design.kind' = 'leave-one-out' needs two interventions or more"
        return {BASELINE: ()}, [Mistake(KIND, sentence)]
    every = [factor.name for factor in factors]
    found, mistakes = combined_arms(study, [])
    found[ALL] = in_file_order(study, every)
    for name in every:
        found[without(name)] = in_file_order(study, [each for each in every if each != name])
    mistakes += [
        Mistake(
            ("interventions", name),
            f"[interventions.{name}]: an arm of that name exists already; use another name",
        )
        for name in (ALL, *(without(each) for each in every))
        if name in study.interventions and found[name] != (name,)
    ]
    return found, mistakes


def without(name: str) -> str:
    """Name of the arm that leaves this intervention out."""
    return f"{WITHOUT}{name}"
