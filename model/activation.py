"""GELU by its tanh approximation (Hendrycks and Gimpel 2016, section 2), as in GPT-2."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model import kernels
from model.linear import is_plain


def gelu(x: Tensor) -> Tensor:
    """0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), elementwise."""
    if is_plain(x):
        return _Gelu.apply(x)  # type: ignore[no-any-return, no-untyped-call]
    return F.gelu(x, approximate="tanh")


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401  (torch's context)
        x = x.contiguous()
        ctx.save_for_backward(x)
        out = torch.empty_like(x)
        kernels.in_rows(kernels.gelu, len(x), _rows(x), _rows(out))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ANN401  (torch's context)
        (x,) = ctx.saved_tensors
        out = torch.empty_like(x)
        rows = (_rows(x), _rows(grad.contiguous()), _rows(out))
        kernels.in_rows(kernels.gelu_backward, len(x), *rows)
        return out


def _rows(x: Tensor) -> Any:  # noqa: ANN401  (an array)
    return x.detach().view(len(x), -1).numpy()
