"""The seeds of a study and of single arms, as a study file gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count, islice
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from model.config import Config, Whole
from trainer.recipe import Seed

MAX_SEEDS = 10_000
"""Largest number of seeds of an arm."""


def _check_list(seeds: list[int]) -> list[int]:
    if not seeds:
        raise ValueError("seeds is empty; give at least one seed, or a number of seeds")
    repeated = sorted(seed for seed, times in Counter(seeds).items() if times > 1)
    if repeated:
        raise ValueError(
            f"seed {repeated[0]} is repeated; a run is not evidence twice, so name it once"
        )
    return seeds


SeedList = Annotated[list[Seed], AfterValidator(_check_list)]
"""Distinct seeds, at least one."""
SeedNumber = Annotated[int, Whole, Field(ge=1, le=MAX_SEEDS)]
"""A number of seeds."""


class RaceSeeds(Config):
    """The seeds of a race: arms get further ones until they are decided."""

    start: Annotated[int, Whole, Field(ge=2, le=MAX_SEEDS)] = 3
    """Seeds that every arm has. Two decide nothing, so a race looks at three or more."""
    most: Annotated[int, Whole, Field(ge=2, le=MAX_SEEDS)] = Field(examples=[12])
    """Seeds at which an arm stays undecided. It may be raised later."""

    @model_validator(mode="after")
    def _most_is_not_below_start(self) -> RaceSeeds:
        if self.most < self.start:
            raise ValueError(
                f"most = {self.most} is below start = {self.start}; an arm begins with 'start' seeds "
                "and has at most 'most'"
            )
        return self


def further_seeds(seeds: Sequence[int], number: int) -> list[int]:
    """The seeds that follow: n+1, n+2, ... after 1 to n, else the smallest ones that are unused."""
    known = set(seeds)
    return list(islice((seed for seed in count(1) if seed not in known), number))


def joined(lists: Iterable[Sequence[int]]) -> list[int]:
    """All seeds of several lists, each once, in the order in which they first occur."""
    return list(dict.fromkeys(seed for seeds in lists for seed in seeds))
