"""Which corpus of a mixture each sequence of a run is from, as a pure function of the seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trainer.training.permutation import Indices, permute

BLOCK = 2_048
"""Sequences among which the corpora are dealt out at random; with the smallest share that a recipe may
have, 0.001, a block has at least two of each corpus."""


class Dealer:
    """Deals out the sequences of a run to the corpora of a mixture.

    In every block of sequences each corpus has its share, rounded so that what it has had until then is
    exact to one sequence. Within the block, a random permutation decides: the sequences of the lowest
    ranks go to the first corpus, the next ones to the second. So of two corpora, another share gives as
    many sequences to the other one as it has to, and leaves the rest where they are.
    """

    def __init__(self, shares: Sequence[float], sequences: int, seed: int) -> None:
        """`sequences`: those that the run reads."""
        self._ends = np.append(np.cumsum(shares)[:-1], 1.0)
        self._sequences = sequences
        self._seed = seed
        self._blocks = max(1, sequences // BLOCK)
        self._block = lru_cache(maxsize=4)(self._deal)

    def deal(self, first: int, end: int) -> tuple[NDArray[np.intp], Indices]:
        """For the sequences from `first` on: the number of the corpus, and how many it has had before.

        Those beyond the last sequence of the run are those of its beginning again.
        """
        numbers = np.arange(first, end) % self._sequences
        blocks = np.minimum(numbers // BLOCK, self._blocks - 1)
        corpora = np.empty(len(numbers), dtype=np.intp)
        before = np.empty(len(numbers), dtype=np.uint64)
        for block in np.unique(blocks):
            here = blocks == block
            dealt = self._block(int(block))
            corpora[here], before[here] = (each[numbers[here] - block * BLOCK] for each in dealt)
        return corpora, before

    def _deal(self, block: int) -> tuple[NDArray[np.intp], Indices]:
        """`deal` for a whole block; the last one has up to twice as many sequences."""
        first = block * BLOCK
        end = self._sequences if block == self._blocks - 1 else first + BLOCK
        had = self._had(first)
        ranks = permute(
            np.arange(end - first, dtype=np.uint64), end - first, f"mixture/{self._seed}/{block}"
        )
        corpora = np.searchsorted(np.cumsum(self._had(end) - had), ranks, side="right")
        before = np.empty(end - first, dtype=np.uint64)
        for corpus, count in enumerate(had):
            here = corpora == corpus
            before[here] = count + np.arange(here.sum())
        return corpora, before

    def _had(self, sequences: int) -> NDArray[np.int64]:
        """How many of the first sequences are from each corpus."""
        had: NDArray[np.int64] = np.diff(
            np.rint(sequences * self._ends).astype(np.int64), prepend=0
        )
        return had
