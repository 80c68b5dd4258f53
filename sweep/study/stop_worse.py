"""`[design] stop_worse`: end arms early whose curves are shown to be worse than the baseline's."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from model.config import Config
from sweep.study.names import Name

Checkpoint = Annotated[float, Field(gt=0)]


class StopWorse(Config):
    """The points of a run at which its arm may be stopped, and by how much it must be worse."""

    at: list[Checkpoint] = Field(min_length=1, max_length=20, examples=[[0.3, 0.6]])
    """Shares of a run's steps, between 0 and 1; for a script, steps above 1."""
    margin: float = Field(ge=0, examples=[0.05])
    """An arm is stopped if it is shown to be worse by more than this, in nats of training loss; for
    a script, in the unit of its primary metric."""
    never: list[Name] = Field(default=[], examples=[["one"]])
    """Arms that are never stopped. Arms that change the schedule or the budget never are; of a
    script, sweep cannot know which ones do."""

    @property
    def are_shares(self) -> bool:
        """True if `at` has shares of a run, false if it has steps."""
        return self.at[0] < 1

    def step(self, number: int, steps: int) -> float:
        """The step of a checkpoint in a run of this many steps."""
        return self.at[number] * steps if self.are_shares else self.at[number]

    @model_validator(mode="after")
    def _checkpoints_are_in_order(self) -> StopWorse:
        shares = all(each < 1 for each in self.at)
        if not shares and not all(each > 1 and each == int(each) for each in self.at):
            raise ValueError(
                "at must have shares of a run between 0 and 1, such as [0.3, 0.6], or whole steps "
                "above 1, such as [1000, 2000]"
            )
        if sorted(set(self.at)) != self.at:
            raise ValueError("at must rise from one checkpoint to the next; sort it")
        return self
