"""How each correction adjusts p-values, and the level at which it tests each question.

Adjusting functions take p-values in ascending order along the last axis and the number of
questions, and may return values above 1. Those of levels take the p-values of one study, shape (n,).
numpy is imported where it is used: `analysis.multiplicity` says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A family that was tested: what the level of each of its questions follows from."""

    alpha: float
    questions: int
    rejected: int
    """Number of questions with an adjusted p below alpha."""


def holm(p: Floats, questions: int) -> Floats:
    """Holm (1979), Scand. J. Statist. 6, 65-70."""
    import numpy as np  # noqa: PLC0415  (studies load without it)

    rank = np.arange(1, p.shape[-1] + 1)
    return np.maximum.accumulate((questions + 1 - rank) * p, axis=-1)


def holm_levels(p: Floats, tested: Tested) -> Floats:
    """Alpha over the number of questions that were left at the step that tested it."""
    import numpy as np  # noqa: PLC0415  (studies load without it)

    before = np.minimum(np.arange(p.size), tested.rejected)
    return np.asarray(tested.alpha / np.maximum(tested.questions - before, 1), float)


def bonferroni(p: Floats, questions: int) -> Floats:
    return questions * p


def bonferroni_levels(_p: Floats, tested: Tested) -> float:
    return tested.alpha / max(tested.questions, 1)


def hochberg(p: Floats, questions: int) -> Floats:
    """Hochberg (1988), Biometrika 75, 800-802."""
    import numpy as np  # noqa: PLC0415  (studies load without it)

    left = questions - np.arange(p.shape[-1])
    return _running_minimum(left * p)


def hochberg_levels(p: Floats, tested: Tested) -> Floats:
    """One level for all that are rejected, which is that of the largest p among them."""
    import numpy as np  # noqa: PLC0415  (studies load without it)

    left = tested.questions - tested.rejected
    is_rejected = np.arange(p.size) < tested.rejected
    return np.where(is_rejected, tested.alpha / (left + 1), tested.alpha / max(left, 1))


def hommel(p: Floats, questions: int) -> Floats:
    """Hommel (1988), Biometrika 75, 383-386, by the algorithm of R's `p.adjust`."""
    import numpy as np  # noqa: PLC0415  (studies load without it)

    known, n = p.shape[-1], questions
    padded = np.concatenate([p, np.ones((*p.shape[:-1], n - known))], axis=-1)
    smallest = (n * padded / np.arange(1, n + 1)).min(axis=-1, initial=1.0, keepdims=True)
    adjusted = np.maximum(padded, smallest)
    for m in range(n - 1, 1, -1):
        low, high = padded[..., : n - m + 1], padded[..., n - m + 1 :]
        least = (m * high / np.arange(2, m + 1)).min(axis=-1, keepdims=True)
        q = np.minimum(m * low, least)
        q = np.concatenate([q, np.repeat(q[..., -1:], m - 1, axis=-1)], axis=-1)
        adjusted = np.maximum(adjusted, q)
    return np.asarray(adjusted[..., :known], float)


def hommel_levels(p: Floats, tested: Tested) -> float:
    """Alpha over the largest number j of questions whose Simes test does not reject them all."""
    import numpy as np  # noqa: PLC0415  (studies load without it)

    padded = np.concatenate([p, np.ones(tested.questions - p.size)])
    for j in range(tested.questions, 0, -1):
        if (padded[-j:] > np.arange(1, j + 1) * tested.alpha / j).all():
            return tested.alpha / j
    return tested.alpha


def benjamini_hochberg(p: Floats, questions: int) -> Floats:
    """Benjamini and Hochberg (1995), J. R. Statist. Soc. B 57, 289-300."""
    import numpy as np  # noqa: PLC0415  (studies load without it)

    return _running_minimum(questions / np.arange(1, p.shape[-1] + 1) * p)


def benjamini_hochberg_levels(_p: Floats, tested: Tested) -> float:
    """Benjamini and Yekutieli (2005), JASA 100, 71-81: the false coverage rate is at most alpha."""
    return tested.alpha * (max(tested.rejected, 1) / max(tested.questions, 1))


def benjamini_yekutieli(p: Floats, questions: int) -> Floats:
    """Benjamini and Yekutieli (2001), Annals of Statistics 29, 1165-1188: any dependence."""
    return benjamini_hochberg(p, questions) * harmonic(questions)


def benjamini_yekutieli_levels(p: Floats, tested: Tested) -> float:
    return benjamini_hochberg_levels(p, tested) / harmonic(tested.questions)


def unadjusted(p: Floats, _questions: int) -> Floats:
    return p


def unadjusted_levels(_p: Floats, tested: Tested) -> float:
    return tested.alpha


def _running_minimum(scaled: Floats) -> Floats:
    """The smallest of each value and those after it, along the last axis."""
    import numpy as np  # noqa: PLC0415  (studies load without it)

    return np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]


def harmonic(questions: int) -> float:
    """1 + 1/2 + ... + 1/questions; 1 for no question."""
    return sum(1 / i for i in range(1, questions + 1)) or 1.0


def alpha_divided(alpha: float, questions: int) -> float:
    return alpha / max(questions, 1)


def alpha_whole(alpha: float, _questions: int) -> float:
    return alpha
