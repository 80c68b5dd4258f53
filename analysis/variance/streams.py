"""Decompose the noise by random stream: initialisation, data order, dropout.

The model of a recipe's losses is y = mean + stream_1 + stream_2 + ... + rest, where each stream is
a random effect of its seed. The rest is the interaction of the streams, since a run has no other
source of randomness than its seeds. A stream whose seeds are drawn anew for each seed of another one
is nested in it; a stream that changes with every run has the rest's variance.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .anova import RESIDUAL
from .component import MIN_LEVELS, Components, MethodName
from .estimate import variance_components
from .nesting import Nesting, find_nesting

Floats = NDArray[np.float64]


class UndecidableError(ValueError):
    """The effects of the streams cannot be separated; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The contribution of one stream; variances in nats^2, sds in nats."""

    levels: int
    """Number of distinct seeds."""
    separable: int
    """Number of seeds that are not confounded with seeds of other streams; all, in a balanced
    layout."""
    variance: float
    """The estimate; negative if seeds differ by less than expected by chance."""
    sd: float
    """Standard deviation; 0 if the variance is not positive."""
    ci_low: float
    ci_high: float | None
    """Upper end of the sd's interval; None if it is unbounded."""
    share: float | None
    """Share of the total variance; None with fewer than `MIN_LEVELS` separable levels."""
    f: float | None
    """Mean square of the stream over that of the rest; None if the method is REML."""
    p: float | None
    """The p-value of no contribution; None if the method is REML."""


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """The variance of single runs, by stream."""

    method: MethodName
    n: int
    """Number of runs."""
    streams: dict[str, Stream]
    rest_sd: float | None
    """Standard deviation of the streams' interaction, nats; None if it is the row of a stream."""
    outer: dict[str, tuple[str, ...]]
    """By nested stream: the streams that it lies inside."""
    single: tuple[str, ...]
    """Streams that change with every run. One such stream has the rest's variance in `streams`;
    several cannot be told apart and are not there."""


def decompose(
    runs: pd.DataFrame,
    streams: Mapping[str, str],
    alpha: float = 0.05,
    *,
    method: MethodName | None = None,
    inside: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Decomposition:
    """Decompose the variance of `runs["loss"]` (nats) over the columns that `streams` names.

    `streams` maps the name of a stream to the column of its seeds; `inside` as in
    `nesting.find_nesting`, `method` as in `variance_components`. Raises UndecidableError if the
    runs cannot separate the streams.
    """
    _check_runs(runs, streams)
    nesting = find_nesting(runs, streams, inside)
    separable = _separable(nesting)
    frame = pd.DataFrame({**nesting.codes, "loss": runs["loss"].to_numpy()})
    terms = {name: nesting.term(name) for name in nesting.outer}
    try:
        found = variance_components(frame, list(terms.values()), alpha=alpha, method=method)
    except ValueError as error:  # too many runs for REML, moments of an unbalanced layout
        raise UndecidableError(str(error)) from error
    if len(nesting.single) == 1:
        terms[nesting.single[0]] = RESIDUAL
    return Decomposition(
        method=found.method,
        n=found.n,
        streams={
            name: _stream(found, terms[name], separable[name]) for name in streams if name in terms
        },
        rest_sd=None if RESIDUAL in terms.values() else found[RESIDUAL].sd,
        outer={name: outer for name, outer in nesting.outer.items() if outer},
        single=nesting.single,
    )


def crossed_layout(levels: int, streams: int) -> list[tuple[int, ...]]:
    """The smallest layout that separates two or three streams with `levels` levels each.

    For two streams: every pair. For three: a Latin square with levels^2 runs instead of levels^3,
    in which every pair of levels of two streams occurs once, so that effects are orthogonal. Its
    diagonal (i, i, i) consists of the runs with the study's own seeds. Indices start at 0. Raises
    ValueError for fewer than three levels, or an even number other than four.
    """
    if levels < 3 or (levels % 2 == 0 and levels != MIN_LEVELS):
        raise ValueError(f"{levels} levels have no such layout; take 4, or an odd number from 3 on")
    pairs = itertools.product(range(levels), repeat=2)
    if streams == 2:
        return list(pairs)
    if levels == MIN_LEVELS:
        return [(i, j, _times(2, i) ^ _times(3, j)) for i, j in pairs]
    half = (levels + 1) // 2  # 1/2 modulo an odd number
    return [(i, j, half * (i + j) % levels) for i, j in pairs]


def _times(a: int, b: int) -> int:
    """Multiply in the field of four elements, {0, 1, x, x + 1} as bits with x^2 = x + 1."""
    return (0, 0, 0, 0, 0, 1, 2, 3, 0, 2, 3, 1, 0, 3, 1, 2)[4 * a + b]


def _stream(found: Components, term: str, separable: int) -> Stream:
    part = found[term]
    return Stream(
        levels=part.levels,
        separable=separable,
        variance=part.variance,
        sd=part.sd,
        ci_low=math.sqrt(part.ci_low),
        ci_high=math.sqrt(part.ci_high) if math.isfinite(part.ci_high) else None,
        share=found.share(term) if separable >= MIN_LEVELS else None,
        f=part.f,
        p=part.p,
    )


def _check_runs(runs: pd.DataFrame, streams: Mapping[str, str]) -> None:
    losses = runs["loss"].to_numpy(float)
    if not losses.size or (losses == losses[0]).all():
        raise UndecidableError(
            "the losses of all runs are equal, so there is no noise to decompose"
        )
    for name, column in streams.items():
        if runs[column].nunique() < 2:
            raise UndecidableError(
                f"{name} has one seed in all runs, so its effect cannot be estimated"
            )


def _separable(nesting: Nesting) -> dict[str, int]:
    """By stream: `Stream.separable`. Raises UndecidableError if a stream has no such level."""
    levels = {name: _indicators(nesting.codes[name]) for name in nesting.outer}
    rank = _rank(levels.values())
    found = dict[str, int]()
    for name, own in levels.items():
        inner = nesting.inner(name)
        others = [each for key, each in levels.items() if key != name and key not in inner]
        found[name] = 1 + _rank([own, *others]) - _rank(others)
    for name, count in found.items():
        if count == 1:
            raise UndecidableError(
                f"{name} changes only together with the other streams, so its effect cannot be "
                "separated from theirs"
            )
    runs = next(iter(levels.values())).shape[0]
    if rank == runs:
        raise UndecidableError(
            "there are only as many runs as seed effects to estimate, so no runs are left to "
            "estimate the error"
        )
    return {**found, **dict.fromkeys(nesting.single, 1 + runs - rank)}


def _rank(indicators: Iterable[Floats]) -> int:
    """The rank of a design matrix of the mean and the indicators of all levels."""
    blocks = list(indicators)
    return int(np.linalg.matrix_rank(np.hstack(blocks))) if blocks else 1


def _indicators(codes: NDArray[np.int64]) -> Floats:
    """Shape (runs, levels): 1 where a run has the seed. The columns sum to 1."""
    return np.asarray(codes[:, None] == np.arange(codes.max() + 1), float)
