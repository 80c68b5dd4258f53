"""What happens to queries and keys before attention, in buffers that are kept from step to step."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from model.compiled import run_in_rows
from model.gradients import array_of
from model.kept_attention import AttentionBuffers
from model.rotation import Rotation
from model.rotation_kernels import rotate


class KeptRotation:
    """RoPE of queries and keys where they are, among the projections (row, 3 x width)."""

    def __init__(self, rotation: Rotation, shared: AttentionBuffers) -> None:
        _, positions, heads, channels = shared.shape
        self._shared = shared
        tables = (array_of(each[:positions]) for each in (rotation.cosines, rotation.sines))
        self._arguments = (*tables, 2 * heads, channels)

    def forward(self, x: Tensor) -> Tensor:
        """To the buffer that is later that of their gradients."""
        return self._turned(x, 1, self._shared.joined)

    def backward(self, grad: Tensor) -> Tensor:
        """The gradient of what `forward` returned, to that of its argument."""
        return self._turned(grad, -1, self._shared.qkv)

    def _turned(self, x: Tensor, sign: int, out: Tensor) -> Tensor:
        arguments = (*self._arguments, np.float32(sign), array_of(out))
        run_in_rows(rotate, len(x), array_of(x), *arguments)
        return out


def make_placing(attention: Any, shared: AttentionBuffers) -> list[KeptRotation]:  # noqa: ANN401  (of `model.attention`)
    """What queries and keys go through, one after the other."""
    return [
        KeptRotation(each, shared) for each in attention.modules() if isinstance(each, Rotation)
    ]
