"""The fractional factorial: a regular two-level fraction of minimum aberration."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.design.combinations import KIND, Design, combined_arms, in_file_order
from sweep.design.factors import Factor, find_factors
from sweep.design.fractions import MAX_FACTORS, Fraction, find_fraction
from sweep.study.file import Study
from sweep.study.mistakes import Keys, Mistake
from sweep.study.names import BASELINE
from trainer.words import counted

RESOLUTION = 4
"""The resolution if the study says neither a resolution nor a number of runs."""
FEWEST_FACTORS = 3


def fractional(study: Study) -> Design:
    """List the arms of the fraction; the mistakes are those of `choose_fraction`."""
    factors = find_factors(study)
    chosen = choose_fraction(study, factors)
    if isinstance(chosen, Mistake):
        return {BASELINE: ()}, [chosen]
    names = [factor.name for factor in factors]
    sets = [
        in_file_order(study, [name for name, on in zip(names, row, strict=True) if on])
        for row in chosen.rows()
    ]
    return combined_arms(study, sets)


def choose_fraction(study: Study, factors: Sequence[Factor]) -> Fraction | Mistake:
    """The smallest fraction of the resolution, or of the number of runs, that the study asks for."""
    design, k = study.design, len(factors)
    if wrong := _wrong_factors(factors):
        return wrong
    possible = possible_fractions(k)
    if design.runs is not None:
        return _of_runs(design.runs, design.resolution, k, possible)
    wanted = design.resolution or RESOLUTION
    for fraction in possible:
        if fraction.resolution >= wanted:
            return fraction
    key: Keys = ("design", "resolution") if design.resolution else KIND
    return Mistake(
        key,
        f"no fraction of {k} interventions has resolution {wanted}; "
        f'kind = "factorial" has {2**k} runs per seed{_offered(possible)}',
    )


def possible_fractions(factors: int) -> list[Fraction]:
    """The best fraction of each size from resolution 3 on, the smallest first."""
    found = (find_fraction(factors, basic) for basic in range(2, factors))
    return [fraction for fraction in found if fraction]


def _wrong_factors(factors: Sequence[Factor]) -> Mistake | None:
    several = [factor for factor in factors if len(factor.levels) > 1]
    if several:
        names = " and ".join(map(repr, several[0].levels))
        sentence = (
            f"{names} are alternatives, a factor with {len(several[0].levels) + 1} levels, and a "
            "fraction has factors with two; keep one of them in the study, or use kind = "
            '"factorial"'
        )
        return Mistake(KIND, sentence)
    k = len(factors)
    if not FEWEST_FACTORS <= k <= MAX_FACTORS:
        other = "factorial" if k < FEWEST_FACTORS else "one-at-a-time"
        sentence = (
            f"'design.kind' = 'fractional' is for {FEWEST_FACTORS} to {MAX_FACTORS} interventions, "
            f'and the study has {k}; use kind = "{other}"'
        )
        return Mistake(KIND, sentence)
    return None


def _of_runs(
    runs: int, resolution: int | None, k: int, possible: Sequence[Fraction]
) -> Fraction | Mistake:
    found = next((each for each in possible if each.runs == runs), None)
    if found is None:
        whole = f' (all {runs} combinations are kind = "factorial")' if runs == 2**k else ""
        sentence = f"no fraction of {k} interventions has {runs} runs{whole}{_offered(possible)}"
        return Mistake(("design", "runs"), sentence)
    if resolution and found.resolution < resolution:
        sentence = (
            f"{runs} runs of {k} interventions have resolution {found.resolution} at most, and "
            f"'design.resolution' is {resolution}; leave one of both out{_offered(possible)}"
        )
        return Mistake(("design", "resolution"), sentence)
    return found


def _offered(possible: Sequence[Fraction]) -> str:
    """`; there are 8 runs (resolution 3) and 16 runs (resolution 4)`."""
    words = [f"{counted(each.runs, 'run')} (resolution {each.resolution})" for each in possible]
    *most, last = words
    return f"; there are fractions of {', '.join(most)}{' and ' if most else ''}{last}"
