"""torch.compile where it pays: on a GPU, for runs that are long enough to earn it back."""

from __future__ import annotations

import os

import torch

from model.cross_entropy import compile_pieces
from model.gpt import GPT
from trainer.errors import ExecutionSettingError
from trainer.recipe import Recipe
from trainer.world import Place

WORTHWHILE = 3e16
"""Floating-point operations of a run from which compilation pays: it takes a minute or two the
first time and saves about a third of the time after, so at 10^14 a second it is even at 4 minutes.
It depends on the recipe alone, so that a run is compiled on every attempt or on none."""


def compile_model(model: GPT, recipe: Recipe, place: Place) -> None:
    """Compile the parts of the model in place, if the execution asks for it or it pays.

    Raises ExecutionSettingError when it is asked for on a CPU.
    """
    wanted = place.execution.compile
    pays = place.device.type == "cuda" and recipe.flops >= WORTHWHILE
    if wanted == "never" or (wanted == "auto" and not pays):
        return
    if place.device.type == "cpu":
        raise ExecutionSettingError(
            'jobs.compile = "always", but on a CPU the model has kernels of its own, which '
            'torch.compile cannot enter; use "auto" or "never"'
        )
    if place.cache is not None:  # one cache for all runs of a study
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(place.cache.resolve() / "compiled"))
    compile_pieces()
    for block in model.blocks:
        block.compile(dynamic=False)
    torch._dynamo.config.recompile_limit = max(64, 2 * len(model.blocks))  # noqa: SLF001
