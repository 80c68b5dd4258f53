"""Factors, their levels in every arm, and the columns that code main effects and interactions.

The column of level l of a factor with L levels is 1[level = l] - 1/L, so that its coefficient is the
mean at this level minus the mean at the first one, averaged over the levels of the other factors. The
column of an interaction of m factors is 2^(m-1) times the product of theirs: for two levels, its
coefficient is the effect of Box, Hunter and Hunter (2005), Statistics for Experimenters, chapter 5,
and all effects of a full factorial have the same variance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Levels = tuple[int, ...]
"""The number of the level of each factor; 0 is the first."""

TIMES = " × "
"""Between the factors of an interaction."""


@dataclass(frozen=True, kw_only=True)
class Factors:
    """The factors of a study, and the arms as combinations of their levels."""

    names: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    """For each factor: the names of its levels after the first one, as effects are called."""
    cells: Mapping[str, Levels]
    """The levels of each arm."""

    def __post_init__(self) -> None:
        for arm, levels in self.cells.items():
            right = len(levels) == len(self.names) and all(
                0 <= level <= len(labels) for level, labels in zip(levels, self.labels, strict=True)
            )
            if not right:
                raise ValueError(f"arm {arm!r} has the levels {levels}, and not one of each factor")

    @property
    def two_levels(self) -> bool:
        """True if every factor has two levels."""
        return all(len(labels) == 1 for labels in self.labels)

    def terms(self, order: int) -> list["Term"]:
        """All terms of `order` factors: one for each of their combinations of levels."""
        return [
            Term(tuple(zip(chosen, levels, strict=True)))
            for chosen in combinations(range(len(self.names)), order)
            for levels in product(*(range(1, len(self.labels[f]) + 1) for f in chosen))
        ]

    def label(self, term: "Term") -> str:
        """`clip × no-dropout`."""
        return TIMES.join(self.labels[factor][level - 1] for factor, level in term.parts)

    def columns(self, terms: Sequence["Term"], rows: Sequence[Levels]) -> Floats:
        """The columns of `terms` for runs with these levels, shape (rows, terms)."""
        if not terms:
            return np.zeros((len(rows), 0))
        levels = np.array(rows, int).reshape(len(rows), len(self.names))
        coded = [
            np.stack(
                [(levels[:, f] == n) - 1 / (len(labels) + 1) for n in range(1, len(labels) + 1)]
            )
            for f, labels in enumerate(self.labels)
        ]
        return np.stack(
            [
                2.0 ** (term.order - 1)
                * np.prod([coded[factor][level - 1] for factor, level in term.parts], axis=0)
                for term in terms
            ],
            axis=1,
        )


@dataclass(frozen=True)
class Term:
    """A main effect, or an interaction."""

    parts: tuple[tuple[int, int], ...]
    """Factors and their levels, by number; level 0 has no term."""

    @property
    def order(self) -> int:
        """Number of factors."""
        return len(self.parts)
