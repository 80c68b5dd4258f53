"""All parameters of a model in one vector, and their gradients in another.

So the optimiser, the gradient norm, clipping and the exchange between processes take a few
operations on one tensor, instead of a few per parameter.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

ALIGNMENT = 16
"""Each parameter begins at a multiple of this many numbers: 64 bytes, a cache line."""
LINE = 4096
"""Numbers per partial sum of squares; summing the partial sums then rounds less."""


class FlatParameters:
    """Moves the parameters of a model, and their gradients, into two vectors.

    Parameters that decay come first: `values[:decaying]`. Padding between parameters is zero.
    """

    def __init__(self, model: nn.Module, decay: Literal["all", "matrices"]) -> None:
        named = dict(model.named_parameters())  # a tied one once
        decays = {name: decay == "all" or p.dim() >= 2 for name, p in named.items()}
        ordered = sorted(named, key=lambda name: not decays[name])
        sizes = [_aligned(named[name].numel(), ALIGNMENT) for name in ordered]
        self.decaying = sum(size for name, size in zip(ordered, sizes, strict=True) if decays[name])
        device = next(iter(named.values())).device
        self.values = torch.zeros(_aligned(sum(sizes), LINE), device=device)
        self.gradients = torch.zeros_like(self.values)
        self.named: dict[str, nn.Parameter] = {}
        first = 0
        self._places: list[Tensor] = []
        for name, size in zip(ordered, sizes, strict=True):
            self._move(name, named[name], first)
            first += size

    def _move(self, name: str, parameter: nn.Parameter, first: int) -> None:
        place = slice(first, first + parameter.numel())
        shape = parameter.shape
        self.values[place] = parameter.detach().flatten()
        parameter.data = self.values[place].view(shape)
        parameter.grad = self.gradients[place].view(shape)
        self._places.append(parameter.grad)
        self.named[name] = parameter

    def forget_gradients(self) -> None:
        """Reset the gradients for another step."""
        if self.gradients.is_cuda:
            for parameter in self.named.values():
                parameter.grad = None
        else:
            self.gradients.zero_()

    def collect_gradients(self) -> None:
        """Copy the gradients into `gradients`: on a GPU that is faster than adding them up there."""
        if self.gradients.is_cuda:
            found = [p.grad for p in self.named.values() if p.grad is not None]  # all of them
            torch._foreach_copy_(self._places, found)
            self.forget_gradients()

    def gradient_norm(self) -> Tensor:
        """The 2-norm of the whole gradient, a scalar."""
        return torch.linalg.vector_norm(  # type: ignore[no-any-return]
            torch.linalg.vector_norm(self.gradients.view(-1, LINE), dim=1)
        )


def _aligned(size: int, to: int) -> int:
    return math.ceil(size / to) * to
