"""`[design]` of a study file: the arms to run, and their seeds."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from model.config import Config, Whole
from sweep.study.names import STREAMS
from trainer.recipe import Seed, Seeds


class Design(Config):
    """The arms to run, and their seeds."""

    kind: str = "one-at-a-time"
    """A name in `sweep.design.arms.DESIGNS`. `one-at-a-time`: the baseline, each intervention
    alone, and the named stacks."""
    seeds: list[Seed] | Annotated[int, Whole, Field(ge=1, le=10_000)] = Field(examples=[5])
    """A number n for the seeds 1 to n, or a list of seeds."""
    vary: list[Literal["init", "order", "dropout"]] = Field(
        default=["init", "order", "dropout"], min_length=1
    )
    """Streams of random numbers that a seed sets."""
    hold: Seed = 0
    """Seed of the streams that do not vary."""

    @model_validator(mode="after")
    def _seeds_are_distinct(self) -> Design:
        if isinstance(self.seeds, list):
            if not self.seeds:
                raise ValueError("seeds is empty; give at least one seed, or a number of seeds")
            repeated = sorted(seed for seed, times in Counter(self.seeds).items() if times > 1)
            if repeated:
                raise ValueError(
                    f"seed {repeated[0]} is repeated; a run is not evidence twice, so name it once"
                )
        return self

    def seed_list(self) -> list[int]:
        """The seeds, in the order in which they are run."""
        return self.seeds if isinstance(self.seeds, list) else list(range(1, self.seeds + 1))

    def streams(self, seed: int) -> Seeds:
        """The seeds of the three streams for one seed of the study."""
        return Seeds(**{name: seed if name in self.vary else self.hold for name in STREAMS})
