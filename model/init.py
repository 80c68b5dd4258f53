"""Initial weights: each parameter has its own random generator.

The generator is keyed by (seed, parameter name). An arm that adds, drops or resizes one parameter
keeps all others bit-identical, so that runs of two arms with one seed can be compared.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import nn

from model.config import ModelConfig
from model.gpt import GPT
from model.learned_sum import LearnedSum

PROJECTION = "projection.weight"
"""How the name of the last matrix of a residual branch ends."""


def _generator(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"init/{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))


def _standard_deviation(name: str, config: ModelConfig) -> float:
    """Standard deviation of a matrix, scaled down in the last layer of each residual branch.

    By 1 / sqrt(number of branches): Radford et al. 2019, section 2.3.
    """
    if name.endswith(PROJECTION):
        return config.init_std / math.sqrt(2 * config.layers)
    return config.init_std


@torch.no_grad()
def initialise(model: GPT, seed: int) -> None:
    """Fill the parameters like GPT-2's: normally distributed matrices, biases 0, norm weights 1."""
    norms = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.LayerNorm | nn.RMSNorm)
    }
    sums = {
        f"{name}.weight": module.initial
        for name, module in model.named_modules()
        if isinstance(module, LearnedSum)
    }
    zero = model.config.zero_init_projections
    for name, parameter in model.named_parameters():
        if name in norms:
            parameter.fill_(1.0)
        elif name in sums:
            parameter.copy_(torch.tensor(sums[name]))
        elif name.endswith(".bias") or (zero and name.endswith(PROJECTION)):
            parameter.zero_()
        else:
            drawn = torch.empty(parameter.shape).normal_(
                0.0,
                _standard_deviation(name, model.config),
                generator=_generator(seed, name),
            )
            parameter.copy_(drawn)
