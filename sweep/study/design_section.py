"""`[design]` of a study file: the arms to run, and their seeds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from model.config import Config, Whole
from sweep.study.names import STREAMS, Name
from sweep.study.seeds import RaceSeeds, SeedList, SeedNumber, further_seeds
from sweep.study.stop_worse import StopWorse
from trainer.recipe import Seed, Seeds

DEFAULT_KIND = "one-at-a-time"
KINDS_OF_FIELDS = {"resolution": "fractional", "runs": "fractional", "arms": "explicit"}
"""The kind of design that a field belongs to."""


class Design(Config):
    """The arms to run, and their seeds."""

    kind: str = DEFAULT_KIND
    """`one-at-a-time`: the baseline, each intervention alone, and the named stacks. `leave-one-out`: all interventions together, and all but each one.
    `pairs`: each alone, and every two together. `factorial`: every combination. `fractional`: a part
    of them in which each run tells about every factor. `explicit`: the `arms` that are listed."""
    resolution: Annotated[int, Whole, Field(ge=3, le=12)] | None = Field(default=None, examples=[4])
    """For `fractional`: the fewest factors in an effect that another one of them can be mistaken
    for, together. 4: main effects are clear of interactions of two; 5: these of each other too."""
    runs: Annotated[int, Whole, Field(ge=4, le=4096)] | None = Field(default=None, examples=[16])
    """For `fractional`: the number of arms, in place of a resolution."""
    arms: list[list[Name]] | None = Field(default=None, examples=[[["one"], ["one", "another"]]])
    """For `explicit`: the interventions of each arm. The baseline is always there."""
    seeds: SeedList | SeedNumber | RaceSeeds = Field(examples=[5])
    """A number n for the seeds 1 to n, a list of seeds, or `{ start = 3, most = 12 }` for a race:
    every arm has the first 3, and undecided ones get further seeds up to 12."""
    vary: list[Literal["init", "order", "dropout"]] = Field(
        default=["init", "order", "dropout"], min_length=1
    )
    """Streams of random numbers that a seed sets."""
    hold: Seed = 0
    """Seed of the streams that do not vary."""
    stop_worse: StopWorse | None = Field(
        default=None, examples=[{"at": [0.3, 0.6], "margin": 0.05}]
    )
    """`{ at = [0.3, 0.6], margin = 0.05 }`: an arm whose curve is shown to be worse than the
    baseline's by more than the margin is stopped there. Left out: every run ends by itself."""

    @property
    def race(self) -> RaceSeeds | None:
        """The seeds of a race; None for a fixed plan."""
        return self.seeds if isinstance(self.seeds, RaceSeeds) else None

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Design:
        for field, kind in KINDS_OF_FIELDS.items():
            if getattr(self, field) is not None and self.kind != kind:
                raise ValueError(f'{field} is for kind = "{kind}"; set that, or leave {field} out')
        return self

    def seed_list(self) -> list[int]:
        """The seeds, in the order in which they are run; those of a race, up to its most."""
        if isinstance(self.seeds, list):
            return self.seeds
        most = self.seeds.most if isinstance(self.seeds, RaceSeeds) else self.seeds
        return list(range(1, most + 1))

    def own_seeds(self, seeds: list[int] | int | None) -> list[int]:
        """The seeds of an arm that has its own; a number continues or shortens those of the design."""
        if isinstance(seeds, list):
            return seeds
        usual = self.seed_list()
        if seeds is None:
            return usual
        return [*usual, *further_seeds(usual, max(0, seeds - len(usual)))][:seeds]

    def streams(self, seed: int) -> Seeds:
        """The seeds of the three streams for one seed of the study."""
        return Seeds(**{name: seed if name in self.vary else self.hold for name in STREAMS})
