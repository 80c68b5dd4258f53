"""What happens to queries and keys before attention, in buffers that are kept from step to step."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from model import norm_kernels
from model.attention_variants import VariedAttention
from model.compiled import run_in_rows
from model.gradients import add_gradient, array_of
from model.kept_attention import AttentionBuffers
from model.rotation import Rotation
from model.rotation_kernels import rotate


class KeptPlacing:
    """Normalises and rotates queries and keys among the projections (row, 3 x width)."""

    def __init__(self, attention: Any, shared: AttentionBuffers) -> None:  # noqa: ANN401  (of `model.attention`)
        self._steps: list[_Step] = []
        self.projected = shared.qkv
        """Where the projections should be written."""
        if not isinstance(attention, VariedAttention):
            return
        if attention.query_norm is not None:
            self.projected = torch.empty_like(shared.qkv)  # the backward pass needs them
            self._steps.append(_Norm(attention.query_norm, attention.key_norm, shared))
        if attention.rotation is not None:
            self._steps.append(_Rotation(attention.rotation, shared))

    def forward(self, x: Tensor) -> Tensor:
        """To the same shape; `x` itself if there is nothing to do."""
        for step in self._steps:
            x = step.forward(x)
        return x

    def backward(self, grad: Tensor) -> Tensor:
        """The gradient of what `forward` returned, to that of its argument."""
        for step in reversed(self._steps):
            grad = step.backward(grad)
        return grad


class _Step(Protocol):
    def forward(self, x: Tensor) -> Tensor: ...

    def backward(self, grad: Tensor) -> Tensor: ...


class _Norm:
    """RMSNorm of the queries and of the keys of each head."""

    def __init__(self, query_norm: Any, key_norm: Any, shared: AttentionBuffers) -> None:  # noqa: ANN401
        heads, channels = shared.shape[2:]
        self._norms, self._shared = (query_norm, key_norm), shared
        rows = len(shared.qkv)
        self._kinds = np.repeat([0, 1], heads)
        self._scales = torch.empty(rows, 2 * heads)
        self._sums = torch.empty(-(-rows // norm_kernels.ROWS_PER_BLOCK), 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        self._x, out = x, self._shared.other(x)
        self._weights = torch.stack([norm.weight for norm in self._norms])
        outputs = [array_of(each) for each in (out, self._scales)]
        arrays = (array_of(x), array_of(self._weights), self._kinds, *outputs)
        run_in_rows(norm_kernels.rms_norm, len(x), *arrays, np.float32(self._norms[0].eps))
        return out

    def backward(self, grad: Tensor) -> Tensor:
        out = self._shared.other(grad)
        inputs = (array_of(self._x), array_of(self._weights), self._kinds)
        arrays = [array_of(each) for each in (self._scales, grad, out, self._sums)]
        run_in_rows(norm_kernels.rms_norm_backward, len(self._sums), *inputs, *arrays)
        for norm, of_weight in zip(self._norms, self._sums.sum(0), strict=True):
            add_gradient(norm.weight, of_weight)
        return out


class _Rotation:
    """RoPE."""

    def __init__(self, rotation: Rotation, shared: AttentionBuffers) -> None:
        _, positions, heads, channels = shared.shape
        self._shared = shared
        tables = (array_of(each[:positions]) for each in (rotation.cosines, rotation.sines))
        self._arguments = (*tables, 2 * heads, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self._turned(x, 1)

    def backward(self, grad: Tensor) -> Tensor:
        return self._turned(grad, -1)

    def _turned(self, x: Tensor, sign: int) -> Tensor:
        out = self._shared.other(x)
        arguments = (*self._arguments, np.float32(sign), array_of(out))
        run_in_rows(rotate, len(x), array_of(x), *arguments)
        return out
