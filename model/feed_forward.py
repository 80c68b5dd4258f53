"""The feed-forward network of a block (Vaswani et al. 2017, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.activation_kernels import ACTIVATION_KERNELS, ActivationKernels
from model.compiled import run_in_rows
from model.config import ModelConfig
from model.linear import Linear, is_plain, product, weight_gradient


def _gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


def _squared_relu(x: Tensor) -> Tensor:
    return F.relu(x).square()


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": _gelu,
    "gelu_exact": F.gelu,
    "relu2": _squared_relu,
    "silu": F.silu,
    "swiglu": F.silu,
}
"""By `model.activation`; that of the gate, if there is one."""


class PlainFeedForward(nn.Module):
    """Two layers with an activation in between, by torch's operations."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        bias = config.biases == "all"
        self.activation = ACTIVATIONS[config.activation]
        self.expand = Linear(config.width, config.hidden_channels, bias=bias)
        self.projection = Linear(config.hidden_channels, config.width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same."""
        return self.projection(self.activation(self.expand(x)))  # type: ignore[no-any-return]


class FeedForward(PlainFeedForward):
    """Two layers with biases, faster on a CPU for activations in `ACTIVATION_KERNELS`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.kernels = ACTIVATION_KERNELS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same."""
        if not is_plain(x):
            return super().forward(x)
        rows = x.reshape(-1, x.shape[-1])
        first, second = self.expand, self.projection
        parameters = (first.weight, first.bias, second.weight, second.bias)
        out = _FeedForward.apply(self.kernels, rows, *parameters)  # type: ignore[no-untyped-call]
        return out.view(x.shape)  # type: ignore[no-any-return]


class GatedFeedForward(PlainFeedForward):
    """SwiGLU: the hidden layer is multiplied by a gate (Shazeer 2020, equation 6)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.gate = Linear(config.width, config.hidden_channels, bias=config.biases == "all")

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same."""
        return self.projection(self.activation(self.gate(x)) * self.expand(x))  # type: ignore[no-any-return]


def make_feed_forward(config: ModelConfig) -> nn.Module:
    """The feed-forward network of a configuration."""
    if config.activation == "swiglu":
        return GatedFeedForward(config)
    if config.activation in ACTIVATION_KERNELS and config.biases == "all":
        return FeedForward(config)
    return PlainFeedForward(config)


class _FeedForward(torch.autograd.Function):
    """Both layers in one autograd function.

    The activation kernel also adds the bias. The backward pass computes the activation again, so
    that it need not be stored.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch's context)
        kernels: ActivationKernels,
        x: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        weight1, bias1, weight2, bias2 = parameters
        hidden = product(x, weight1)
        active = torch.empty_like(hidden)
        arrays = (hidden.numpy(), bias1.detach().numpy(), active.numpy())
        run_in_rows(kernels.forward, x.shape[0], *arrays)
        ctx.kernels = kernels
        ctx.save_for_backward(x, hidden, weight1, bias1, weight2)
        return product(active, weight2, bias2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, hidden, weight1, bias1, weight2 = ctx.saved_tensors
        inner = product(grad, weight2.t())
        active = torch.empty_like(hidden)
        arrays = (hidden.numpy(), bias1.detach().numpy(), inner.numpy(), active.numpy())
        run_in_rows(ctx.kernels.backward, x.shape[0], *arrays)
        return (
            None,
            product(inner, weight1.t()),
            weight_gradient(x, inner),
            inner.sum(0),
            weight_gradient(active, grad),
            grad.sum(0),
        )
