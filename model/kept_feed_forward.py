"""The feed-forward networks of `model.feed_forward` in buffers that are kept from step to step."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from model.compiled import run_in_rows
from model.feed_forward import FeedForward
from model.gradients import add_linear_gradients, array_of
from model.linear import product


class FeedForwardBuffers:
    """What all layers share."""

    def __init__(self, rows: int, hidden: int) -> None:
        self.active = torch.empty(rows, hidden)
        self.hidden_grad = torch.empty(rows, hidden)


class KeptFeedForward:
    """Two layers with an activation in between."""

    def __init__(self, network: Any, shared: FeedForwardBuffers) -> None:  # noqa: ANN401  (a module)
        self._network, self._shared = network, shared
        self._activation: _Activation = _WithBias(network, shared)
        self._hidden = torch.empty_like(shared.active)

    def forward(self, x: Tensor, out: Tensor) -> Tensor:
        """(row, width) to the same; keeps `x`. `product` says whether it is in `out`."""
        first, second = self._network.expand, self._network.projection
        self._x = x
        self._inner = product(x, first.weight, self._activation.bias, self._hidden)
        active = self._activation.forward(self._inner)
        return product(active, second.weight, second.bias, out)

    def backward(self, grad: Tensor, out: Tensor) -> Tensor:
        """The gradient of what `forward` returned, to that of its argument; `out` as there."""
        first, second, shared = self._network.expand, self._network.projection, self._shared
        inner = product(grad, second.weight.t(), None, shared.hidden_grad)
        active = self._activation.backward(self._inner, inner)
        add_linear_gradients(second, active, grad)
        add_linear_gradients(first, self._x, inner)
        return product(inner, first.weight.t(), None, out)


class _Activation(Protocol):
    bias: Tensor | None
    """What the product before it has to add."""

    def forward(self, hidden: Tensor) -> Tensor:
        """The activation of each unit."""

    def backward(self, hidden: Tensor, grad: Tensor) -> Tensor:
        """The gradient of the activation becomes that of `hidden`, in place; returns the activation."""


class _WithBias:
    """By a kernel of `model.activation_kernels`, which adds the bias and computes all twice."""

    bias: Tensor | None = None

    def __init__(self, network: FeedForward, shared: FeedForwardBuffers) -> None:
        self._kernels, self._added, self._shared = network.kernels, network.expand.bias, shared

    def forward(self, hidden: Tensor) -> Tensor:
        arrays = [array_of(each) for each in (hidden, self._added, self._shared.active)]
        run_in_rows(self._kernels.forward, len(hidden), *arrays)
        return self._shared.active

    def backward(self, hidden: Tensor, grad: Tensor) -> Tensor:
        arrays = [array_of(each) for each in (hidden, self._added, grad, self._shared.active)]
        run_in_rows(self._kernels.backward, len(hidden), *arrays)
        return self._shared.active
