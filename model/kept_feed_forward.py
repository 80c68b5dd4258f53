"""The feed-forward networks of `model.feed_forward` in buffers that are kept from step to step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from model.gradients import add_linear_gradients
from model.kept_activations import make_kept_activation
from model.linear import product


class FeedForwardBuffers:
    """What all layers share."""

    def __init__(self, rows: int, hidden: int) -> None:
        self.active = torch.empty(rows, hidden)
        self.hidden_grad = torch.empty(rows, hidden)


class KeptFeedForward:
    """Two layers with an activation in between."""

    def __init__(self, network: Any, activation: str, shared: FeedForwardBuffers) -> None:  # noqa: ANN401
        """A module of `model.feed_forward` with the activation `model.activation`."""
        self._network, self._shared = network, shared
        self._activation = make_kept_activation(network, activation, shared.active)
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
