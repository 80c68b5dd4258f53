"""Analysis of variance for balanced layouts.

A term is a factor ("init") or factors joined by colons ("init:order"): the interaction of crossed
factors, or a factor nested in another. Outer terms come first. The residual is the variation that
no term explains. A one-way table may have unequal groups.

The first value is subtracted from all values before anything else (`digits.centred`), and sums are
computed by `math.fsum`, so that thirteen constant leading digits cost no precision.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import fdtrc

from ..digits import centred, rounding

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RESIDUAL = "residual"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One row of the table; sums in squared units of the values."""

    term: str
    levels: int
    """Distinct cells of the term; for the residual, the number of values."""
    size: float
    """Values per cell: 1 for the residual, the mean if groups are unequal."""
    df: int
    sum_of_squares: float
    error: str | None
    """Name of the term that this one is tested against (by mean square); None for the residual."""

    @property
    def mean_square(self) -> float:
        return self.sum_of_squares / self.df


@dataclass(frozen=True, kw_only=True)
class Anova:
    """An ANOVA table."""

    n: int
    mean: float
    sources: tuple[Source, ...]
    """The terms in the order in which they were given, then the residual."""

    def __getitem__(self, term: str) -> Source:
        for source in self.sources:
            if source.term == term:
                return source
        raise KeyError(f"no term {term!r}; terms: {[source.term for source in self.sources]}")

    def f(self, term: str) -> float | None:
        """F of a term against its error; infinite for an error of zero, None for zero over zero."""
        source = self[term]
        if source.error is None:
            raise ValueError("the residual has no F, as terms are tested against it; name a term")
        above, below = source.mean_square, self[source.error].mean_square
        if below == 0:
            return math.inf if above > 0 else None
        return above / below

    def p(self, term: str) -> float | None:
        """The p-value of no effect; None if there is no F."""
        f, source = self.f(term), self[term]
        if f is None or source.error is None:
            return None
        return float(fdtrc(source.df, self[source.error].df, f))

    @property
    def r_squared(self) -> float | None:
        """The share of the sum of squares that terms explain; None if all values are equal."""
        total = math.fsum(source.sum_of_squares for source in self.sources)
        return None if total == 0 else 1.0 - self[RESIDUAL].sum_of_squares / total


def one_way(frame: pd.DataFrame, factor: str = "arm", value: str = "loss") -> Anova:
    """The table of one factor, with groups that may be unequal; `value` in any unit.

    Where a column `status` is present, rows that are not done are left out. Raises ValueError
    for a missing column, fewer than two groups, no group with two values, or a value that is
    not finite.
    """
    return anova(frame, (factor,), value)


def anova(frame: pd.DataFrame, terms: Sequence[str], value: str = "loss") -> Anova:
    """The table of a balanced layout, or of one factor with groups that may be unequal.

    Raises ValueError as `Layout.read` does, for a layout of two terms or more that is not
    balanced, and if the residual has no degrees of freedom.
    """
    layout = Layout.read(frame, terms, value)
    if not layout.balanced and len(terms) > 1:
        raise ValueError(
            f"the layout of {', '.join(terms)} is not balanced; "
            "variance_components fits it by REML, which needs no balance"
        )
    return layout.table()


@dataclass(frozen=True)
class Layout:
    """Values, and the cell of each value in every term."""

    values: Floats
    """Shape (n,)."""
    cells: dict[str, Integers]
    """By term: the index of each value's cell, shape (n,), from 0."""

    @classmethod
    def read(cls, frame: pd.DataFrame, terms: Sequence[str], value: str = "loss") -> "Layout":
        """The layout of the done rows of a frame.

        Raises ValueError for a missing column, a term that is given twice or has only one level,
        fewer than two values, or values that are not finite.
        """
        factors = dict.fromkeys(factor for term in terms for factor in term.split(":"))
        absent = [name for name in (value, *factors) if name not in frame.columns]
        if absent:
            raise ValueError(f"there is no column {absent[0]!r}; there are {list(frame.columns)}")
        if len({frozenset(term.split(":")) for term in terms}) < max(len(terms), 1):
            raise ValueError(f"give each term once, and at least one; given were {list(terms)}")
        done = frame[frame["status"] == "done"] if "status" in frame.columns else frame
        values = done[value].to_numpy(float)
        if values.size < 2 or not np.isfinite(values).all():
            raise ValueError(f"{value!r} must have at least two values, and all must be finite")
        cells = {term: _cells(done, term.split(":")) for term in terms}
        single = [term for term, codes in cells.items() if codes.max() == 0]
        if single:
            raise ValueError(f"{single[0]!r} has one level; a term needs at least two")
        return cls(values, cells)

    @cached_property
    def centred(self) -> Floats:
        """Values minus the first value."""
        return centred(self.values)

    def levels(self, term: str) -> int:
        """Number of cells of a term; for the residual, number of values."""
        return self.values.size if term == RESIDUAL else int(self.cells[term].max()) + 1

    @cached_property
    def balanced(self) -> bool:
        """True if a term's cells are equally large and unrelated terms occur in every combination."""
        terms = list(self.cells)
        pairs = [(a, b) for i, a in enumerate(terms) for b in terms[:i]]
        equal = all(map(_equally_large, self.cells.values()))
        return equal and all(self._orthogonal(*p) for p in pairs)

    def _orthogonal(self, first: str, second: str) -> bool:
        if _nested(first, second) or _nested(second, first):
            return True
        shared = set(first.split(":")) & set(second.split(":"))
        inside = [codes for term, codes in self.cells.items() if set(term.split(":")) == shared]
        if shared and not inside:
            return False  # a:b and b:c without b: the effect of b would be counted in both
        joint = _joint_cells(self.cells[first], self.cells[second])
        levels = (self.cells[first].max() + 1) * (self.cells[second].max() + 1)
        common = inside[0].max() + 1 if inside else 1
        return _equally_large(joint) and bool(joint.max() + 1 == levels // common)

    def table(self) -> Anova:
        """Compute the table: subtract the effects term by term, inner terms last."""
        mean = _mean(self.centred)
        residual, effects = self.centred - mean, dict[str, Floats]()
        for term in sorted(self.cells, key=lambda each: each.count(":")):
            effects[term] = _cell_means(residual, self.cells[term])
            residual = residual - effects[term]
        df = self._degrees_of_freedom()
        parts = {**effects, RESIDUAL: residual}
        squares = {term: self._squares(part, df[term]) for term, part in parts.items()}
        return Anova(
            n=self.values.size,
            mean=float(self.values[0]) + mean,
            sources=tuple(self._source(term, df, squares) for term in (*self.cells, RESIDUAL)),
        )

    def _squares(self, part: Floats, df: int) -> float:
        """The sum of squares; 0 if it is no larger than rounding explains."""
        total = math.fsum((part * part).tolist())
        scale = float(np.abs(self.values).max())
        return total if total > df * rounding(scale) ** 2 else 0.0

    def _degrees_of_freedom(self) -> dict[str, int]:
        df = dict[str, int]()
        for term in sorted(self.cells, key=lambda each: each.count(":")):
            held = sum(df[other] for other in df if _nested(other, term))
            df[term] = int(self.cells[term].max()) - held
        df[RESIDUAL] = self.values.size - 1 - sum(df.values())
        if min(df.values()) < 1:
            short = min(df, key=lambda term: df[term])
            raise ValueError(
                f"{short!r} has no degrees of freedom left in {self.values.size} values; "
                "leave out the innermost term, or give more values"
            )
        return df

    def _source(self, term: str, df: dict[str, int], squares: dict[str, float]) -> Source:
        levels = self.levels(term)
        return Source(
            term=term,
            levels=levels,
            size=self.values.size / levels,
            df=df[term],
            sum_of_squares=squares[term],
            error=None if term == RESIDUAL else self._error(term),
        )

    def _error(self, term: str) -> str:
        """The smallest other term that contains all factors of this one, or else the residual."""
        holding = [other for other in self.cells if other != term and _nested(term, other)]
        if not holding:
            return RESIDUAL
        nearest = min(holding, key=lambda other: other.count(":"))
        if all(_nested(nearest, other) for other in holding):
            return nearest
        raise ValueError(
            f"{term!r} is part of {', '.join(map(repr, holding))}, so no single mean square is its "
            "error; keep one of these interactions"
        )


def _nested(outer: str, inner: str) -> bool:
    """True if all factors of `outer` are factors of `inner`."""
    return set(outer.split(":")) <= set(inner.split(":"))


def _cells(frame: pd.DataFrame, factors: Sequence[str]) -> Integers:
    """The index of each row's cell: its combination of the factors' levels."""
    if frame[list(factors)].isna().to_numpy().any():
        raise ValueError(f"a row has no level of {':'.join(factors)}; give every row one")
    groups = frame.groupby(list(factors), sort=False, observed=True)
    return np.asarray(groups.ngroup().to_numpy(), np.int64)


def _joint_cells(first: Integers, second: Integers) -> Integers:
    """The cells of two terms together: one for each pair of cells that occurs."""
    joint = first * (second.max() + 1) + second
    return np.unique(joint, return_inverse=True)[1].astype(np.int64)


def _equally_large(codes: Integers) -> bool:
    """True if all cells have equally many values."""
    return bool(np.ptp(np.bincount(codes)) == 0)


def _mean(values: Floats) -> float:
    """The mean; exact if all values are equal."""
    first = float(values[0])
    return first + math.fsum((values - first).tolist()) / values.size


def _cell_means(values: Floats, codes: Integers) -> Floats:
    """Each value replaced by the mean of its cell."""
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))[:-1]
    means = np.array([_mean(cell) for cell in np.split(values[order], ends)])
    return np.asarray(means[codes], float)
