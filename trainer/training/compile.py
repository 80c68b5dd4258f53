"""torch.compile where it pays: on a GPU, for runs that are long enough to earn it back."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from model.gpt import GPT
from trainer.recipe import Recipe
from trainer.training.world import Place

COMPILE_MIN_FLOPS = 3e16
"""Floating-point operations of a run from which compilation pays: it takes a minute or two the
first time and saves about a third of the time after, so at 10^14 a second it is even at 4 minutes.
It depends on the recipe alone, so that a run is compiled on every attempt or on none."""


def compile_model(model: GPT, recipe: Recipe, place: Place, note: Callable[[str], None]) -> None:
    """Compile the parts of the model in place, if the execution asks for it or it pays.

    Only ever on a GPU: torch.compile cannot look into the loops that a CPU is served by.
    """
    wanted = place.execution.compile
    if wanted == "never" or (wanted == "auto" and recipe.flops < COMPILE_MIN_FLOPS):
        return
    if place.device.type != "cuda":
        if wanted == "always":
            note('jobs.compile = "always" is for a GPU; on this device nothing is compiled')
        return
    if place.cache is not None:  # one cache for all runs of a study
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(place.cache.resolve() / "compiled"))
    if torch.are_deterministic_algorithms_enabled():
        _choose_kernels_by_rule()
    for block in model.blocks:
        block.compile(dynamic=False)
    torch._dynamo.config.recompile_limit = max(64, 2 * len(model.blocks))  # noqa: SLF001


def _choose_kernels_by_rule() -> None:
    """Not by how fast they are just now: they sum in different orders."""
    from torch._inductor import config

    if hasattr(config, "deterministic"):  # not in every torch that will do
        config.deterministic = True
