"""Which streams lie inside others: orders that are drawn anew for each init are nested in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Nesting:
    """The streams of some runs, by how their seeds lie in each other."""

    codes: dict[str, Codes]
    """By stream: the number of each run's seed, shape (runs,). The seeds of a stream inside another
    one are other seeds in each seed of the outer one."""
    outer: dict[str, tuple[str, ...]]
    """By stream with several runs per seed: the streams that it lies inside, the coarsest first."""
    single: tuple[str, ...]
    """Streams that change with every run: their variance is the residual's."""

    def term(self, stream: str) -> str:
        """The stream as a term of `estimate.variance_components`: `init:order`."""
        return ":".join((*self.outer[stream], stream))

    def inner(self, stream: str) -> list[str]:
        """The streams that lie inside this one."""
        return [name for name, outer in self.outer.items() if stream in outer]


def find_nesting(
    runs: pd.DataFrame, streams: Mapping[str, str], inside: Mapping[str, Sequence[str]]
) -> Nesting:
    """How the streams' columns in `runs` lie in each other.

    `inside` names streams whose seeds are numbered anew in each seed of others: order 1 of init 1
    is not order 1 of init 2.
    """
    codes = {name: _codes([runs[column]]) for name, column in streams.items()}
    for name, outside in inside.items():
        codes[name] = _codes([runs[streams[each]] for each in (*outside, name)])
    single = tuple(name for name, each in codes.items() if each.max() + 1 == len(runs))
    kept = [name for name in codes if name not in single] or list(codes)
    outer = {name: _outer(name, kept, codes) for name in kept}
    return Nesting(codes, outer, single if len(kept) < len(codes) else ())


def _outer(name: str, names: Sequence[str], codes: Mapping[str, Codes]) -> tuple[str, ...]:
    found = [
        other
        for other in names
        if _refines(codes[name], codes[other]) and not _refines(codes[other], codes[name])
    ]
    return tuple(sorted(found, key=lambda other: int(codes[other].max())))


def _refines(inner: Codes, outer: Codes) -> bool:
    """True if every level of `inner` occurs with one level of `outer`."""
    pairs = set(zip(inner.tolist(), outer.tolist(), strict=True))
    return len(pairs) == int(inner.max()) + 1


def _codes(columns: Sequence["pd.Series[int]"]) -> Codes:
    table = pd.concat(columns, axis=1, keys=range(len(columns)))
    return np.asarray(table.groupby(list(table.columns), sort=False).ngroup(), np.int64)
