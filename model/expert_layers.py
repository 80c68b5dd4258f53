"""The layers of experts on rows that are ordered by expert, with few operations of torch's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from model.activation_kernels import ActivationKernels
from model.compiled import run_in_rows


def permuted(rows: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
    """`rows[order]` for a permutation and its inverse.

    The gradient is indexed by the inverse, which is faster than adding it into rows of zeros.
    """
    return _Permuted.apply(rows, order, inverse)  # type: ignore[no-any-return, no-untyped-call]


class _Permuted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor, inverse: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(inverse)
        return rows[order]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        (inverse,) = ctx.saved_tensors
        return grad[inverse], None, None


class ExpertLayers(torch.autograd.Function):
    """Both layers of all experts, without biases, with one pass of the activation's kernel.

    For float32 on a CPU. The backward pass computes the activation again, as in the dense network.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch's context)
        kernels: ActivationKernels,
        counts: Sequence[int],
        rows: Tensor,
        expand: Tensor,
        projection: Tensor,
    ) -> Tensor:
        """Outputs (row, width) of `rows`, of which the first counts[0] belong to the first expert, ...

        The matrices are (expert, outputs, inputs).
        """
        rows, (_, channels, width) = rows.contiguous(), expand.shape
        hidden = rows.new_empty(len(rows), channels)
        for part, weight in zip(_parts(counts), expand, strict=True):
            torch.mm(rows[part], weight.t(), out=hidden[part])
        active, zeros = torch.empty_like(hidden), hidden.new_zeros(channels)
        run_in_rows(kernels.forward, len(rows), *_arrays(hidden, zeros, active))
        outputs = rows.new_empty(len(rows), width)
        for part, weight in zip(_parts(counts), projection, strict=True):
            torch.mm(active[part], weight.t(), out=outputs[part])
        ctx.kernels, ctx.counts = kernels, counts
        ctx.save_for_backward(rows, hidden, expand, projection)
        return outputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        rows, hidden, expand, projection = ctx.saved_tensors
        parts, grad = list(_parts(ctx.counts)), grad.contiguous()
        inner, active = torch.empty_like(hidden), torch.empty_like(hidden)
        for part, weight in zip(parts, projection, strict=True):
            torch.mm(grad[part], weight, out=inner[part])
        arrays = _arrays(hidden, hidden.new_zeros(hidden.shape[1]), inner, active)
        run_in_rows(ctx.kernels.backward, len(rows), *arrays)
        of_rows = torch.empty_like(rows)
        of_expand, of_projection = torch.empty_like(expand), torch.empty_like(projection)
        for expert, part in enumerate(parts):
            torch.mm(inner[part], expand[expert], out=of_rows[part])
            torch.mm(inner[part].t(), rows[part], out=of_expand[expert])
            torch.mm(grad[part].t(), active[part], out=of_projection[expert])
        return None, None, of_rows, of_expand, of_projection


def _parts(counts: Sequence[int]) -> Iterator[slice]:
    """The rows of each expert."""
    first = 0
    for count in counts:
        yield slice(first, first + count)
        first += count


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().numpy() for tensor in tensors]
