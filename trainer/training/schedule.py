"""The learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from trainer.recipe import Recipe


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step (from 0): linear warm-up, then the shape of `schedule.kind`.

    Cosine and linear equal torch's LinearLR followed by CosineAnnealingLR or LinearLR in a
    SequentialLR; the rate of wsd falls over the last `schedule.cooldown` of the steps
    (Hu et al. 2024, "MiniCPM", sec. 4; Hägele et al. 2024, "Scaling laws and compute-optimal
    training beyond fixed training durations", eq. 1 and sec. 3).
    """
    schedule, peak = recipe.schedule, recipe.optimizer.learning_rate
    warmup = recipe.warmup_steps
    if step < warmup:
        return peak * (schedule.warmup_factor + (1 - schedule.warmup_factor) * step / warmup)
    if schedule.kind == "constant":
        return peak
    falling = recipe.cooldown_steps if schedule.kind == "wsd" else recipe.steps - warmup
    progress = max(0.0, (step - (recipe.steps - falling)) / falling)
    shape = schedule.cooldown_shape if schedule.kind == "wsd" else schedule.kind
    final = schedule.final_factor
    return peak * (final + (1 - final) * SHAPES[shape](progress))


SHAPES: Mapping[str, Callable[[float], float]] = {
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "linear": lambda progress: 1 - progress,
    "1-sqrt": lambda progress: 1 - math.sqrt(progress),
}
"""How the rate falls from 1 to 0, by the share of the fall that is over."""
