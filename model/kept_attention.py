"""The attention of `model.tiled` in buffers that are kept from step to step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model import kernels
from model.compiled import run_in_rows
from model.kernels import NO_MASK
from model.tiled import Masks, first_keys, multiply, sequences_at_once, tiles_of


class Part(NamedTuple):
    """The attention weights of a tile among all: (sequence x head, row, key)."""

    number: int
    """Of the tile among those of its sequences."""
    lines: slice
    rows: slice
    keys: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        """Lines, rows and keys."""
        lines, rows, keys = (each.stop - each.start for each in self[1:])
        return lines, rows, keys


class AttentionBuffers:
    """What all layers share: room for one tile, and for the gradients of one layer."""

    def __init__(self, sequences: int, positions: int, heads: int, channels: int) -> None:
        self.shape = (sequences, positions, heads, channels)
        self.factor = np.float32(1 / math.sqrt(channels))
        self.by_head = (sequences * heads, positions, channels)
        self.grad = torch.empty(self.by_head)
        self.gradients = torch.empty(3, *self.by_head)
        self.qkv = torch.empty(sequences * positions, 3 * heads * channels)
        self.joined = torch.empty_like(self.qkv)
        self.kept, self.slopes = torch.empty(
            2, max(math.prod(part.shape) for part in self.parts(None))
        )

    def other(self, x: Tensor) -> Tensor:
        """A buffer for queries, keys and values (row, 3 x width) that is not `x`."""
        return self.qkv if x is self.joined else self.joined

    def parts(self, window: int | None) -> Iterator[Part]:
        """The parts of all tiles, group by group."""
        lines, positions, _ = self.by_head
        at_once = self.shape[2] * sequences_at_once(self.shape[2], positions)
        for first in range(0, lines, at_once):
            for number, rows, keys in tiles_of(positions, window):
                yield Part(number, slice(first, min(first + at_once, lines)), rows, keys)


class KeptAttention:
    """Causal attention of one layer, with the bits of `TiledAttention`."""

    def __init__(self, shared: AttentionBuffers, window: int | None) -> None:
        self._shared, self._adds = shared, window is not None
        self._qkv = torch.empty(3, *shared.by_head)
        self._output = torch.empty(shared.by_head)
        sequences, positions, heads, channels = shared.shape
        self._mixed = torch.empty(sequences, positions, heads, channels)
        parts = shared.parts(window)
        self._tiles = [_Tile(shared, self._qkv, self._output, part) for part in parts]
        self._begin = first_keys(sequences, positions, window, None)
        # Without a window the last tile of a group sees every key. It comes first and writes; others add.
        self._backward_order = sorted(self._tiles, key=lambda each: (each.first, -each.number))
        self._scale = NO_MASK.scale

    def forward(self, qkv: Tensor, masks: Masks | None) -> Tensor:
        """(row, 3 x width) to (row, width)."""
        sequences, positions, heads, channels = self._shared.shape
        parts = qkv.view(sequences, positions, 3, heads, channels).permute(2, 0, 3, 1, 4)
        self._qkv.view(parts.shape).copy_(parts)
        for tile in self._tiles:
            mask = NO_MASK if masks is None else masks(tile.number, tile.first)
            self._scale = mask.scale
            torch.bmm(tile.query, tile.key.mT, out=tile.weights)
            weights, _, kept = tile.arrays
            arguments = (
                weights,
                kept,
                tile.query.shape[1],
                tile.skipped,
                self._begin[tile.first :],
            )
            run_in_rows(kernels.softmax, tile.sequences, *arguments, self._shared.factor, *mask)
            torch.bmm(tile.kept, tile.value, out=tile.output)
        by_head = self._output.view(sequences, heads, positions, channels)
        return self._mixed.copy_(by_head.transpose(1, 2)).view(len(qkv), -1)

    def backward(self, grad: Tensor) -> Tensor:
        """The gradient (row, width) of what `forward` returned, to that of its argument."""
        shared = self._shared
        sequences, positions, heads, channels = shared.shape
        by_head = grad.view(shared.shape).transpose(1, 2)
        shared.grad.view(by_head.shape).copy_(by_head)
        if self._adds:
            shared.gradients.zero_()
        delta = torch.linalg.vecdot(shared.grad, self._output)
        for tile in self._backward_order:
            torch.bmm(tile.grad, tile.value.mT, out=tile.slopes)
            sums = tile.of(delta).contiguous().view(tile.arrays[0].shape[:2]).numpy()
            arguments = (*tile.arrays, sums, shared.factor, self._scale)
            run_in_rows(kernels.softmax_backward, tile.sequences, *arguments)
            torch.bmm(tile.slopes, tile.key, out=tile.of_query)
            for out, left, right in (
                (tile.of_key, tile.slopes, tile.query),
                (tile.of_value, tile.kept, tile.grad),
            ):
                multiply(out, left.mT, right, add=self._adds or not tile.is_last)
        parts = shared.gradients.view(3, sequences, heads, positions, channels)
        joined = shared.joined.view(sequences, positions, 3, heads, channels)
        joined.copy_(parts.permute(1, 3, 0, 2, 4))
        return shared.joined


class _Tile:
    """Views of the buffers: some query rows of a group of sequences, and the keys that they see."""

    def __init__(self, shared: AttentionBuffers, qkv: Tensor, output: Tensor, part: Part) -> None:
        self.number, lines, self._rows, keys = part
        self._lines, self.skipped = lines, keys.start
        shape, heads = part.shape, shared.shape[2]
        self.sequences, self.first = shape[0] // heads, lines.start // heads
        self.is_last = keys.stop == shared.shape[1]
        seen = (lines, keys)
        self.query, self.key, self.value = self.of(qkv[0]), qkv[1][seen], qkv[2][seen]
        self.output, self.grad = self.of(output), self.of(shared.grad)
        of_query, of_key, of_value = shared.gradients
        self.of_query, self.of_key, self.of_value = self.of(of_query), of_key[seen], of_value[seen]
        self.weights = torch.empty(shape)
        self.kept, self.slopes = (
            each[: math.prod(shape)].view(shape) for each in (shared.kept, shared.slopes)
        )
        by_sequence = (self.sequences, heads * shape[1], shape[2])  # (sequence, head x row, key)
        self.arrays = [
            each.view(by_sequence).numpy() for each in (self.weights, self.slopes, self.kept)
        ]

    def of(self, tensor: Tensor) -> Tensor:
        """The tile's query rows of a tensor (sequence x head, position, ...)."""
        return tensor[self._lines, self._rows]
