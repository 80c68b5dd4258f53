"""Initial weights, each parameter from a generator of its own.

A generator keyed by (seed, parameter name) lets an arm add, drop or resize one parameter and
leave every other bit-identical, which is what makes runs of two arms with one seed comparable.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from model.gpt import GPT

STANDARD_DEVIATION = 0.02
"""Radford et al. 2018, section 4.1."""


def _generator(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"init/{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))


def _standard_deviation(name: str, layers: int) -> float:
    """The last layer of each residual branch is scaled down by the number of branches.

    Radford et al. 2019, section 2.3.
    """
    if name.endswith("projection.weight"):
        return STANDARD_DEVIATION / math.sqrt(2 * layers)
    return STANDARD_DEVIATION


@torch.no_grad()
def initialise(model: GPT, seed: int) -> None:
    """Fill every parameter as GPT-2 does: normal matrices, zero biases, unit norms."""
    norms = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.LayerNorm)
    }
    for name, parameter in model.named_parameters():
        if name in norms:
            parameter.fill_(1.0)
        elif name.endswith(".bias"):
            parameter.zero_()
        else:
            drawn = torch.empty(parameter.shape).normal_(
                0.0,
                _standard_deviation(name, model.config.layers),
                generator=_generator(seed, name),
            )
            parameter.copy_(drawn)
