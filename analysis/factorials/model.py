"""The terms that the runs of a factorial can tell from each other, and those that they cannot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .terms import Factors, Levels, Term

Floats = NDArray[np.float64]

TOLERANCE = 1e-9
"""Tolerance of the sizes of columns, and of cosines between them."""
RANK_TOLERANCE = 1e-8
"""Tolerance of ranks of columns of unit size."""
MAX_COLUMNS = 5_000
"""Interactions of three and more factors are looked at while there are so few terms."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A term and those that always change with it: their effects are estimated as one sum."""

    term: Term
    aliases: tuple[tuple[int, Term], ...] = ()
    """The others with their signs, 1 or -1."""


@dataclass(frozen=True, kw_only=True)
class Partial:
    """An interaction that is left out of the model, and biases a main effect by a part of its size."""

    main: Term
    other: Term
    share: float


@dataclass(frozen=True, kw_only=True)
class Model:
    """The terms that are estimated, by least squares."""

    chains: tuple[Chain, ...]
    """Main effects first, then interactions of two, then of more."""
    constant: tuple[tuple[int, Term], ...]
    """Terms that cannot be estimated, because their column is constant: with its sign; or because it
    is that of blocks: with 0."""
    dependent: tuple[Term, ...]
    """Main effects that are a combination of others: they cannot be estimated."""
    left_out: tuple[Term, ...]
    """Interactions of two that are taken to be zero: with them, main effects could not be estimated."""
    partial: tuple[Partial, ...]
    orthogonal: bool
    """True if no estimate depends on another."""

    @property
    def terms(self) -> list[Term]:
        """The first term of each chain."""
        return [chain.term for chain in self.chains]


def choose_model(factors: Factors, rows: Sequence[Levels], nuisance: Floats) -> Model:
    """Choose the terms for runs with these levels; `nuisance` are columns of the mean and blocks.

    All main effects that can be told apart; and all interactions of two that can be told from them
    and from each other, or none if there are too few runs for all of them. Of an orthogonal design,
    also the interactions of more factors.
    """
    chooser = _Chooser(factors, rows, nuisance)
    chooser.add(factors.terms(1))
    dependent = chooser.drop_dependent()
    mains = len(chooser.chosen)
    chooser.add(factors.terms(2) if len(factors.names) > 1 else [])
    left_out: list[Term] = []
    if not chooser.full_rank:
        left_out = chooser.drop_from(mains)
    elif factors.two_levels and chooser.orthogonal:
        chooser.add_higher()
    return Model(
        chains=tuple(chooser.chains()),
        constant=tuple(chooser.constant),
        dependent=tuple(dependent),
        left_out=tuple(left_out),
        partial=tuple(chooser.partial(left_out)),
        orthogonal=chooser.orthogonal,
    )


def without(columns: Floats, nuisance: Floats) -> Floats:
    """The columns less their projection on the nuisance columns."""
    if nuisance.shape[1] == 1:  # the mean alone: balanced columns keep their exact values
        return np.asarray(columns - columns.mean(axis=0), float)
    basis, *_ = np.linalg.svd(nuisance, full_matrices=False)
    basis = basis[:, : np.linalg.matrix_rank(nuisance)]
    return np.asarray(columns - basis @ (basis.T @ columns), float)


def solver(columns: Floats) -> Floats:
    """The matrix that gives the least-squares coefficients, shape (terms, rows).

    For orthogonal columns, whose values are powers of two, there is no rounding of a decomposition.
    """
    products = columns.T @ columns
    sizes = np.diag(products)
    off = np.abs(products - np.diag(sizes)).max(initial=0.0)
    if off == 0.0 and (sizes > 0).all():
        return np.asarray((columns / sizes).T, float)
    return np.asarray(np.linalg.pinv(columns), float)


class _Chooser:
    def __init__(self, factors: Factors, rows: Sequence[Levels], nuisance: Floats) -> None:
        self.factors, self.rows, self.nuisance = factors, rows, nuisance
        self.chosen: list[Term] = []
        self.aliases: dict[Term, list[tuple[int, Term]]] = {}
        self.constant: list[tuple[int, Term]] = []
        self.columns = np.zeros((len(rows), 0))
        """Unit columns of the chosen terms."""

    def add(self, terms: Sequence[Term], *, orthogonal_only: bool = False) -> None:
        """Choose terms whose columns are new; the others are aliases, or constant."""
        raw = self.factors.columns(terms, self.rows)
        found = without(raw, self.nuisance)
        sizes, before = np.linalg.norm(found, axis=0), np.linalg.norm(raw, axis=0)
        for term, column, size, scale, own in zip(
            terms, found.T, sizes, before, raw.T, strict=True
        ):
            if size <= TOLERANCE * max(scale, 1.0):
                self.constant.append((int(np.sign(own[0])) if np.ptp(own) == 0 else 0, term))
                continue
            unit = column / size
            cosines = self.columns.T @ unit
            same = np.flatnonzero(np.abs(cosines) > 1 - TOLERANCE)
            if same.size:
                sign = 1 if cosines[same[0]] > 0 else -1
                self.aliases[self.chosen[same[0]]].append((sign, term))
            elif not orthogonal_only or np.abs(cosines).max(initial=0.0) < TOLERANCE:
                self.chosen.append(term)
                self.aliases[term] = []
                self.columns = np.column_stack([self.columns, unit])

    def add_higher(self) -> None:
        """Choose interactions of three and more factors, as long as there are few terms."""
        count = len(self.factors.names) + len(self.factors.terms(2))
        for order in range(3, len(self.factors.names) + 1):
            terms = self.factors.terms(order)
            count += len(terms)
            if count > MAX_COLUMNS:
                return
            self.add(terms, orthogonal_only=True)

    def drop_dependent(self) -> list[Term]:
        """Leave out chosen terms that are combinations of those before them."""
        kept: list[int] = []
        for place in range(len(self.chosen)):
            if np.linalg.matrix_rank(self.columns[:, [*kept, place]], tol=RANK_TOLERANCE) > len(
                kept
            ):
                kept.append(place)
        dropped = [term for place, term in enumerate(self.chosen) if place not in kept]
        self._keep(kept)
        return dropped

    def drop_from(self, place: int) -> list[Term]:
        """Leave out the chosen terms from this place on; returns all that they stand for."""
        dropped = self.chosen[place:]
        found = [each for term in dropped for each in (term, *(t for _, t in self.aliases[term]))]
        self._keep(list(range(place)))
        return found

    def _keep(self, places: list[int]) -> None:
        self.columns = self.columns[:, places]
        self.chosen = [self.chosen[place] for place in places]

    @property
    def full_rank(self) -> bool:
        """True if all chosen terms can be estimated together."""
        return bool(np.linalg.matrix_rank(self.columns, tol=RANK_TOLERANCE) == len(self.chosen))

    @property
    def orthogonal(self) -> bool:
        """True if the chosen columns are orthogonal."""
        products = self.columns.T @ self.columns
        return bool(np.abs(products - np.eye(len(self.chosen))).max(initial=0.0) < TOLERANCE)

    def chains(self) -> list[Chain]:
        """The chosen terms with their aliases."""
        return [Chain(term=term, aliases=tuple(self.aliases[term])) for term in self.chosen]

    def partial(self, left_out: Sequence[Term]) -> list[Partial]:
        """The bias of main effects by interactions that are left out: Box and Wilson's alias matrix."""
        if not left_out or not self.chosen:
            return []
        main = without(self.factors.columns(self.chosen, self.rows), self.nuisance)
        other = without(self.factors.columns(left_out, self.rows), self.nuisance)
        shares = np.linalg.lstsq(main, other, rcond=None)[0]
        return [
            Partial(main=self.chosen[i], other=left_out[j], share=float(shares[i, j]))
            for i, j in zip(*np.nonzero(np.abs(shares) > 1e-6), strict=True)
        ]
