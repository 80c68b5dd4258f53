"""torch.compile where it saves time: on a GPU, for runs that are long enough."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from model import attention
from model.block import Block
from model.gpt import GPT
from trainer.recipe import Recipe
from trainer.training.world import Place

COMPILE_MIN_FLOPS = 3e16
"""Floating-point operations of a run from which compiling saves time: it takes one or two minutes
and then saves about a third of the time, so at 10^14 operations a second it breaks even after
about 4 minutes. Depends only on the recipe, so that every attempt at a run decides alike."""


def compile_model(model: GPT, recipe: Recipe, place: Place, note: Callable[[str], None]) -> None:
    """Compile the model's blocks in place, if the settings ask for it or it saves time.

    Only on a GPU: torch.compile cannot see into the numba kernels that are used on a CPU.
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
    # Not where it is defined: that would import torch's compiler in every process.
    hidden = torch.compiler.disable(attention.fused_with_dropout)  # type: ignore[no-untyped-call]
    attention.fused_with_dropout = hidden
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    for block in blocks:
        block.compile(dynamic=False)
    torch._dynamo.config.recompile_limit = max(64, 2 * len(blocks))  # noqa: SLF001


def _choose_kernels_by_rule() -> None:
    """Choose kernels by rule and not by timing: they sum in different orders."""
    from torch._inductor import config

    if hasattr(config, "deterministic"):  # not in every supported version of torch
        config.deterministic = True
