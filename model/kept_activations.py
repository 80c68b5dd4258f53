"""Activations of the feed-forward network, forward and backward without autograd.

By torch, with the operations of its derivatives, so that every bit is the same; or by our kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

import torch
from torch import Tensor

from model.compiled import run_in_rows
from model.feed_forward import FeedForward
from model.gradients import array_of

_aten = torch.ops.aten


class KeptActivation(Protocol):
    """The activation of one layer."""

    bias: Tensor | None
    """What the product before it has to add."""

    def forward(self, hidden: Tensor) -> Tensor:
        """The activation of each unit."""

    def backward(self, hidden: Tensor, grad: Tensor) -> Tensor:
        """The gradient of the activation becomes that of `hidden`, in place; returns the activation."""


class ByKernels:
    """By a kernel of `model.activation_kernels`, which adds the bias and computes all twice."""

    bias: Tensor | None = None

    def __init__(self, network: FeedForward, active: Tensor) -> None:
        """All layers write to `active` (row, unit)."""
        self._kernels, self._added, self._active = network.kernels, network.expand.bias, active

    def forward(self, hidden: Tensor) -> Tensor:
        """See `KeptActivation`."""
        arrays = [array_of(each) for each in (hidden, self._added, self._active)]
        run_in_rows(self._kernels.forward, len(hidden), *arrays)
        return self._active

    def backward(self, hidden: Tensor, grad: Tensor) -> Tensor:
        """See `KeptActivation`."""
        arrays = [array_of(each) for each in (hidden, self._added, grad, self._active)]
        run_in_rows(self._kernels.backward, len(hidden), *arrays)
        return self._active


class ByTorch:
    """By torch; keeps the activation for the backward pass, as autograd does."""

    def __init__(self, operations: Operations, bias: Tensor | None, shape: torch.Size) -> None:
        self._operations, self.bias, self._active = operations, bias, torch.empty(shape)

    def forward(self, hidden: Tensor) -> Tensor:
        """See `KeptActivation`."""
        self._operations.forward(hidden, out=self._active)
        return self._active

    def backward(self, hidden: Tensor, grad: Tensor) -> Tensor:
        """See `KeptActivation`."""
        self._operations.backward(grad, hidden, grad_input=grad)
        return self._active


class Operations(NamedTuple):
    """The two operations of an activation."""

    forward: Callable[..., Any]
    """(x, out=)"""
    backward: Callable[..., Any]
    """(gradient of the activation, x, grad_input=), the last two may be one"""


def _squared_relu(x: Tensor, out: Tensor) -> None:
    torch.square(_aten.relu.out(x, out=out), out=out)


def _squared_relu_backward(grad: Tensor, x: Tensor, grad_input: Tensor) -> None:
    positive = torch.relu(x)
    slopes = torch.mul(grad, positive * 2)
    _aten.threshold_backward.grad_input(slopes, positive, 0, grad_input=grad_input)


def _gelu(approximate: str) -> Operations:
    operations = (_aten.gelu.out, _aten.gelu_backward.grad_input)
    return Operations(*(partial(each, approximate=approximate) for each in operations))


TORCH_OPERATIONS: Final[Mapping[str, Operations]] = {
    "gelu": _gelu("tanh"),
    "gelu_exact": _gelu("none"),
    "relu2": Operations(_squared_relu, _squared_relu_backward),
    "silu": Operations(_aten.silu.out, _aten.silu_backward.grad_input),
}
"""By `model.activation`: all but the gated one."""


def make_kept_activation(network: Any, name: str, active: Tensor) -> KeptActivation:  # noqa: ANN401  (a module)
    """The activation `model.activation` of a network; layers that need not keep it share `active`."""
    if isinstance(network, FeedForward):
        return ByKernels(network, active)
    return ByTorch(TORCH_OPERATIONS[name], network.expand.bias, active.shape)
