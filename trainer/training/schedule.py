"""The learning rate of each step."""

from __future__ import annotations

import math

from trainer.recipe import Recipe


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step (from 0): linear warm-up, then constant or half a cosine.

    Equal to torch's LinearLR followed by CosineAnnealingLR in a SequentialLR.
    """
    schedule, peak = recipe.schedule, recipe.optimizer.learning_rate
    warmup = recipe.warmup_steps
    if step < warmup:
        return peak * (schedule.warmup_factor + (1 - schedule.warmup_factor) * step / warmup)
    if schedule.kind == "constant":
        return peak
    progress = (step - warmup) / (recipe.steps - warmup)
    final = schedule.final_factor
    return peak * (final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2)
