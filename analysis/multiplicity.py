"""p-values adjusted for having asked many questions, as R's p.adjust does it."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Correction = Literal["holm", "bonferroni", "bh", "none"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)

Floats = NDArray[np.float64]


def adjust(p_values: ArrayLike, method: Correction, family: int | None = None) -> Floats:
    """Adjusted p-values along the last axis; `family` is the number of questions asked.

    Holm (1979), Scand. J. Statist. 6, 65-70, and Benjamini and Hochberg (1995), J. R. Statist.
    Soc. B 57, 289-300. A NaN is a question without an answer (an arm that failed or diverged):
    it stays NaN and counts in the family as a p of 1. `family` defaults to the number of
    p-values given, NaNs included. Raises ValueError for a p outside [0, 1], an unknown method,
    or a family smaller than the p-values in it.
    """
    p = np.asarray(p_values, float)
    questions = _family(p, method, family)
    order = np.argsort(p, axis=-1)  # NaN sorts last, where a p of 1 would stand
    ordered = np.take_along_axis(p, order, axis=-1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, _stepped(ordered, method, questions), axis=-1)
    return np.where(np.isnan(p), np.nan, adjusted)


def _family(p: Floats, method: Correction, family: int | None) -> int:
    if method not in CORRECTIONS:
        raise ValueError(
            f"no correction is called {method!r}; choose from {', '.join(CORRECTIONS)}"
        )
    if np.any((p < 0) | (p > 1)):
        raise ValueError("a p-value lies outside [0, 1]; give NaN for a question without an answer")
    count = p.shape[-1]
    if family is not None and family < count:
        raise ValueError(f"a family of {family} cannot hold {count} p-values; count every question")
    return count if family is None else family


def _stepped(ordered: Floats, method: Correction, family: int) -> Floats:
    """Adjust p-values sorted upward along the last axis."""
    rank = np.arange(1, ordered.shape[-1] + 1)
    known = np.where(np.isnan(ordered), 1.0, ordered)
    if method == "holm":
        known = np.maximum.accumulate((family + 1 - rank) * known, axis=-1)
    elif method == "bonferroni":
        known = family * known
    elif method == "bh":
        scaled = family / rank * known
        known = np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]
    return np.minimum(known, 1.0)
