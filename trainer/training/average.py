"""An average of the weights of many steps, which is evaluated and kept in place of the last ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trainer.recipe import Recipe

Share = Callable[[int], float]
"""The share of the weights after a step (from 0) in the average up to there."""


class WeightAverage:
    """A running average of all parameters, updated after each step."""

    def __init__(self, values: Tensor, share: Share) -> None:
        self.values = torch.zeros_like(values)
        """The average so far; zero before the first step that has a share in it."""
        self._share = share

    def update(self, values: Tensor, step: int) -> None:
        """Take the weights after `step` into the average."""
        if share := self._share(step):
            self.values.lerp_(values, share)


def make_average(recipe: Recipe, values: Tensor) -> WeightAverage | None:
    """The average that a recipe asks for; None for the weights after the last step."""
    if recipe.train.ema is not None:
        return WeightAverage(values, _exponential(recipe.train.ema))
    if recipe.averaged_steps:
        return WeightAverage(values, _uniform(recipe.steps - recipe.averaged_steps))
    return None


def _exponential(decay: float) -> Share:
    """Weights `decay` ** (steps since), normalised to a sum of 1, so that the first step is not special.

    Polyak and Juditsky 1992, with the bias correction of Kingma and Ba 2015, section 3.
    """
    return lambda step: (1 - decay) / (1 - decay ** (step + 1))


def _uniform(first: int) -> Share:
    """Equal weights from step `first` on.

    The average of the latest weights (Kaddour 2022, "Stop wasting my time! Saving days of ImageNet and
    BERT training with latest weight averaging"), of every step instead of a few checkpoints.
    """
    return lambda step: 1 / (step - first + 1) if step >= first else 0.0
