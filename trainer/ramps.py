"""Batch sizes and sequence lengths that grow at the beginning of training.

Light to import: no torch here.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate


@lru_cache(maxsize=64)
def growing_batches(size: int, sequences: int, share: float, factor: float) -> tuple[int, ...]:
    """Sequences in each of the first steps, while the batch grows linearly to `size`.

    `sequences` is the budget of the whole run, a multiple of `size`; the batch grows over `share` of
    them, from `factor` of its size on (Brown et al. 2020, GPT-3, section 2.3). The steps after the ramp
    have whole batches: what is left over is one more step of the ramp.
    """
    ramp, read, end = list[int](), 0, share * sequences
    while read < end:
        ramp.append(min(size, max(1, round(size * (factor + (1 - factor) * read / end)))))
        read += ramp[-1]
    while read > sequences:  # a long ramp at the end of a short run
        read -= ramp.pop()
    if rest := (sequences - read) % size:
        ramp.append(rest)
    return tuple(sorted(ramp))


@lru_cache(maxsize=64)
def first_sequences(batches: tuple[int, ...]) -> tuple[int, ...]:
    """Sequences read before each of these steps, and before the one after them."""
    return tuple(accumulate(batches, initial=0))


def context_at(context: int, first: int, step: int, steps: int) -> int:
    """Tokens per sequence at a step: `first`, doubled in stages of equal length over `steps` steps.

    Li, Zhang and He 2022, "The stability-efficiency dilemma", section 4, in powers of two.
    """
    stages = (context // first).bit_length() - 1
    return context if step >= steps else first << (step * stages // steps)


def stage_starts(context: int, first: int, steps: int) -> dict[int, int]:
    """The length of sequences from each step on at which `context_at` changes."""
    stages = (context // first).bit_length() - 1
    return {-(-stage * steps // stages): first << stage for stage in range(stages + 1)}
