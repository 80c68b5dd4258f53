"""The feed-forward network of a block (Vaswani et al. 2017, section 3.3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model import kernels
from model.compiled import run_in_rows
from model.config import ModelConfig
from model.linear import Linear, is_plain, product, weight_gradient


class FeedForward(nn.Module):
    """Two layers with GELU in between; the hidden layer is four times as wide.

    GELU is the tanh approximation (Hendrycks and Gimpel 2016, section 2).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.expand = Linear(config.width, 4 * config.width)
        self.projection = Linear(4 * config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same."""
        if not is_plain(x):
            return self.projection(F.gelu(self.expand(x), approximate="tanh"))  # type: ignore[no-any-return]
        rows = x.reshape(-1, x.shape[-1])
        first, second = self.expand, self.projection
        parameters = (first.weight, first.bias, second.weight, second.bias)
        return _FeedForward.apply(rows, *parameters).view(x.shape)  # type: ignore[no-any-return, no-untyped-call]


class _FeedForward(torch.autograd.Function):
    """Both layers in one autograd function.

    The activation kernel also adds the bias. The backward pass computes the activation again, so
    that it need not be stored.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch's context)
        x: Tensor,
        weight1: Tensor,
        bias1: Tensor,
        weight2: Tensor,
        bias2: Tensor,
    ) -> Tensor:
        hidden = product(x, weight1)
        active = torch.empty_like(hidden)
        arrays = (hidden.numpy(), bias1.detach().numpy(), active.numpy())
        run_in_rows(kernels.gelu, x.shape[0], *arrays)
        ctx.save_for_backward(x, hidden, weight1, bias1, weight2)
        return product(active, weight2, bias2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        x, hidden, weight1, bias1, weight2 = ctx.saved_tensors
        inner = product(grad, weight2.t())
        active = torch.empty_like(hidden)
        arrays = (hidden.numpy(), bias1.detach().numpy(), inner.numpy(), active.numpy())
        run_in_rows(kernels.gelu_backward, x.shape[0], *arrays)
        return (
            product(inner, weight1.t()),
            weight_gradient(x, inner),
            inner.sum(0),
            weight_gradient(active, grad),
            grad.sum(0),
        )
