"""A sum of two tensors with learned factors."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LearnedSum(nn.Module):
    """weight[0] * one + weight[1] * other; two numbers are learned."""

    def __init__(self, one: float, other: float) -> None:
        super().__init__()
        self.initial = (one, other)
        """The factors before training."""
        self.weight = nn.Parameter(torch.empty(2))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Two tensors of one shape to the same, in the type of the first."""
        weight = self.weight.to(one.dtype)
        return weight[0] * one + weight[1] * other.to(one.dtype)
