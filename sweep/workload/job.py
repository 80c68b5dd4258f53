"""A run as the queue and the schedulers know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from trainer.recipe import Recipe


class InitialWeights(NamedTuple):
    """Weights that a run starts from."""

    folder: str
    """Absolute path."""
    hash: str


@dataclass(frozen=True)
class Job:
    """One run to be trained: its identity and its recipe."""

    run_id: str
    recipe: Recipe
    corpus_hash: str
    family: str
    """Identity of the recipe without its seeds: equal for all seeds of an arm."""
    repeat_of: str | None = None
    """Id of the run that this one repeats exactly, if it does."""
    weights: InitialWeights | None = None
    """Initial weights; None for random ones."""
