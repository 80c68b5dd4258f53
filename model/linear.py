"""Linear layers with the CPU's fastest float32 matrix product.

torch uses MKL for float32 products, and MKL uses at most AVX2 on processors that are not Intel's.
There oneDNN, which torch ships as well, is twice as fast with AVX-512; on Intel's processors MKL is
10% faster (docs/decisions/0003). All other cases are left to torch.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)


def _find_onednn_linear() -> Any:  # noqa: ANN401  (an operator of torch's)
    """OneDNN's `x @ weight.T + bias` if it is faster than MKL here, else None."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or _is_intel():
        return None
    try:
        return torch.ops.mkldnn._linear_pointwise.default  # noqa: SLF001  (the public way copies twice)
    except AttributeError:
        return None


def _is_intel() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return "Intel" in (cpuinfo.read_text() if cpuinfo.exists() else platform.processor())


_onednn_linear = _find_onednn_linear()


def is_plain(x: Tensor) -> bool:
    """True for float32 on a CPU without autocast, for which this package has its own kernels."""
    on_cpu = x.device.type == "cpu" and x.dtype == torch.float32
    return on_cpu and not torch.is_autocast_enabled("cpu")


def product(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """`x @ weight.T + bias` of matrices, in the type of `x`; not differentiable.

    MKL writes it to `out`, if that is given; oneDNN has no such option, and makes a new tensor.
    """
    if _onednn_linear is not None and is_plain(x):
        return _onednn_linear(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]
    if out is None:
        return F.linear(x, weight, bias)
    if bias is None:
        return torch.mm(x, weight.t(), out=out)
    return torch.addmm(bias, x, weight.t(), out=out)


def weight_gradient(x: Tensor, grad: Tensor) -> Tensor:
    """`grad.T @ x`, shape (outputs, inputs), for x (row, inputs) and grad (row, outputs)."""
    if _onednn_linear is not None and grad.shape[1] > x.shape[1]:
        # oneDNN copies the transposed operand, so transpose the smaller one.
        return product(x.t(), grad.t()).t()
    return product(grad.t(), x.t())


class Linear(nn.Linear):
    """`nn.Linear`, faster on some CPUs. Same parameters; same result up to rounding."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        if _onednn_linear is None or not is_plain(x):
            return F.linear(x, self.weight, self.bias)
        flat = _Linear.apply(x.reshape(-1, self.in_features), self.weight, self.bias)  # type: ignore[no-untyped-call]
        return flat.view(*x.shape[:-1], self.out_features)  # type: ignore[no-any-return]


class _Linear(torch.autograd.Function):
    """`x @ weight.T + bias` of matrices; the gradients use the same kernel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            product(grad, weight.t()) if needs_x else None,
            weight_gradient(x, grad) if needs_weight else None,
            grad.sum(0) if needs_bias else None,
        )
