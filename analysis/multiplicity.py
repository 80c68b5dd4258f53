"""Corrections of p-values for multiple comparisons, with the results of R's `p.adjust`.

`CORRECTIONS` is the only list of them; studies, options and reports read it. A new correction is
one more entry. numpy is imported only when p-values are adjusted, so that studies load quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from . import corrections
from .corrections import Tested

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Adjust: TypeAlias = Callable[[Floats, int], Floats]
    Levels: TypeAlias = Callable[[Floats, "Tested"], Floats | float]


@dataclass(frozen=True, kw_only=True)
class Correction:
    """One way to adjust p-values for the number of questions."""

    name: str
    """The name in a study file."""
    adjust_sorted: Adjust
    """Adjusts p-values in ascending order along the last axis, given the number of questions; may
    return values above 1."""
    levels_sorted: Levels
    """The level at which each of the p-values, in ascending order along the only axis, was tested:
    the 1 - level interval excludes zero exactly where the adjusted p is below alpha."""
    level: Callable[[float, int], float]
    """The strictest level that a question is tested at, given alpha and the number of questions."""
    is_exploratory: bool = False
    """True if it does not control the familywise error rate."""
    description: str
    """One sentence, printed in reports: what the adjusted p-values control."""


CORRECTIONS: dict[str, Correction] = {
    each.name: each
    for each in (
        Correction(
            name="holm",
            adjust_sorted=corrections.holm,
            levels_sorted=corrections.holm_levels,
            level=corrections.alpha_divided,
            description="Holm: p-values control the chance of any false alarm among all questions.",
        ),
        Correction(
            name="bonferroni",
            adjust_sorted=corrections.bonferroni,
            levels_sorted=corrections.bonferroni_levels,
            level=corrections.alpha_divided,
            description=(
                "Bonferroni: p-values control the chance of any false alarm, with less power than Holm."
            ),
        ),
        Correction(
            name="hochberg",
            adjust_sorted=corrections.hochberg,
            levels_sorted=corrections.hochberg_levels,
            level=corrections.alpha_divided,
            description=(
                "Hochberg: p-values control the chance of any false alarm if questions are "
                "independent or positively dependent."
            ),
        ),
        Correction(
            name="hommel",
            adjust_sorted=corrections.hommel,
            levels_sorted=corrections.hommel_levels,
            level=corrections.alpha_divided,
            description=(
                "Hommel: p-values control the chance of any false alarm if questions are "
                "independent or positively dependent."
            ),
        ),
        Correction(
            name="bh",
            adjust_sorted=corrections.benjamini_hochberg,
            levels_sorted=corrections.benjamini_hochberg_levels,
            level=corrections.alpha_divided,
            is_exploratory=True,
            description=(
                "Exploratory: p-values control the rate of false discoveries, not of any error."
            ),
        ),
        Correction(
            name="by",
            adjust_sorted=corrections.benjamini_yekutieli,
            levels_sorted=corrections.benjamini_yekutieli_levels,
            level=lambda alpha, questions: (
                alpha / max(questions, 1) / corrections.harmonic(questions)
            ),
            is_exploratory=True,
            description=(
                "Exploratory: p-values control the rate of false discoveries, however they depend on "
                "each other, not of any error."
            ),
        ),
        Correction(
            name="none",
            adjust_sorted=corrections.unadjusted,
            levels_sorted=corrections.unadjusted_levels,
            level=corrections.alpha_whole,
            description="No correction: every question by itself has a chance of alpha of a false alarm.",
        ),
    )
}

if TYPE_CHECKING:
    CorrectionName: TypeAlias = str
else:
    CorrectionName = Literal[tuple(CORRECTIONS)]
"""The type of a pydantic field or a command's option: accepts only the names in `CORRECTIONS`."""


def adjust(p_values: ArrayLike, method: CorrectionName, family: int | None = None) -> Floats:
    """Adjusted p-values along the last axis; `family` is the number of questions asked.

    A NaN is a question without an answer (an arm that failed or diverged): it stays NaN and counts
    in the family as a p of 1. `family` defaults to the number of p-values given, NaNs included.
    Raises ValueError for a p outside [0, 1], an unknown method, or a family smaller than the
    p-values in it.
    """
    import numpy as np  # noqa: PLC0415  (see above)

    p = np.asarray(p_values, float)
    correction = _find_correction(method)
    questions = _count_questions(p, family)
    order = np.argsort(p, axis=-1)  # NaN sorts last, as a p of 1 would
    ordered = np.take_along_axis(p, order, axis=-1)
    known = np.where(np.isnan(ordered), 1.0, ordered)
    adjusted = np.empty_like(p)
    stepped = np.minimum(correction.adjust_sorted(known, questions), 1.0)
    np.put_along_axis(adjusted, order, stepped, axis=-1)
    return np.where(np.isnan(p), np.nan, adjusted)


def levels(
    p_values: ArrayLike, method: CorrectionName, alpha: float, family: int | None = None
) -> Floats:
    """The level at which the correction tested each of one study's p-values, shape (n,).

    The 1 - level interval of a question excludes its null exactly where the adjusted p is below
    alpha. A NaN has the level of a p of 1. Raises ValueError as `adjust` does.
    """
    import numpy as np  # noqa: PLC0415  (see above)

    p = np.asarray(p_values, float)
    rejected = int((adjust(p, method, family) < alpha).sum())
    tested = Tested(alpha=alpha, questions=_count_questions(p, family), rejected=rejected)
    order = np.argsort(p)
    known = np.where(np.isnan(p), 1.0, p)[order]
    found = np.empty_like(p)
    found[order] = CORRECTIONS[method].levels_sorted(known, tested)
    return found


def _find_correction(name: str) -> Correction:
    """The correction of this name. Raises ValueError, listing the known names."""
    if name not in CORRECTIONS:
        raise ValueError(f"no correction is called {name!r}; choose from {', '.join(CORRECTIONS)}")
    return CORRECTIONS[name]


def _count_questions(p: Floats, family: int | None) -> int:
    if ((p < 0) | (p > 1)).any():
        raise ValueError("a p-value lies outside [0, 1]; give NaN for a question without an answer")
    count = p.shape[-1]
    if family is not None and family < count:
        raise ValueError(f"a family of {family} cannot hold {count} p-values; count every question")
    return count if family is None else family
