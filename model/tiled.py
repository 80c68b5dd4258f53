"""Causal attention on a CPU, computed in tiles that fit the CPU's cache.

A plain implementation moves a matrix of positions x positions through memory a dozen times per
head, more with dropout, although the causal mask discards half of it. Here each tile of query rows
uses only the keys that it may attend to, stays in the cache until it is finished, and stores one
number per weight for the backward pass: the probability, negative if it was dropped. The gradient
of the softmax uses rowsum(P * dP) = rowsum(dO * O), which holds with dropout too (Dao et al. 2022,
"FlashAttention", appendix B.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model import kernels
from model.compiled import run_in_rows
from model.kernels import NO_MASK, NO_STARTS, Mask

ROWS = 64
"""Query positions per tile."""
MAX_TILE_WEIGHTS = 2**17
"""Attention weights in a tile: half a megabyte of float32."""

Masks = Callable[[int, int], Mask]
"""Maps the number of a tile and its first sequence to the mask of its attention weights."""


class TiledAttention(torch.autograd.Function):
    """softmax(Q K^T / sqrt(channels)) V, causal, with dropout of the attention weights.

    With a window each query attends to the last `window` keys (Beltagy et al. 2020, section 3.1).
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch's context)
        qkv: Tensor,
        masks: Masks | None,
        window: int | None = None,
        starts: Tensor | None = None,
    ) -> Tensor:
        """(sequence, position, 3, head, channel) to (sequence, position, head x channel), float32.

        Without `masks` no weight is dropped. With `starts`, of `model.documents`, positions attend to
        those of their own document.
        """
        sequences, positions, _, heads, channels = qkv.shape
        query, key, value = qkv.permute(2, 0, 3, 1, 4).reshape(3, -1, positions, channels)
        output = torch.empty_like(query)  # (sequence x head, position, channel), like query
        factor = np.float32(1 / math.sqrt(channels))
        weights = []
        begin = first_keys(sequences, positions, window, starts)
        for first, q, k, v, o in _groups(heads, query, key, value, output):
            for tile, rows, seen in tiles_of(positions, window):
                p = torch.bmm(q[:, rows], k[:, seen].mT)
                kept = torch.empty_like(p)
                mask = NO_MASK if masks is None else masks(tile, first)
                arrays = (*_lines(heads, p, kept), p.shape[1], seen.start, begin[first:], factor)
                run_in_rows(kernels.softmax, p.shape[0] // heads, *arrays, *mask)
                torch.bmm(kept, v[:, seen], out=o[:, rows])
                weights.append(p)
        # Save all tensors here, so that backward frees them: attributes of ctx live as long as the graph.
        ctx.save_for_backward(query, key, value, output, *weights)
        ctx.scale = NO_MASK.scale if masks is None else masks(0, 0).scale
        ctx.heads, ctx.window = heads, window
        return output.view(sequences, heads, positions, channels).transpose(1, 2).flatten(2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401  (torch's context)
        """The gradient of `qkv`, in its shape."""
        query, key, value, output, *weights = ctx.saved_tensors
        heads, (_, positions, channels) = ctx.heads, query.shape
        grad = grad.view(-1, positions, heads, channels).transpose(1, 2).reshape(query.shape)
        delta = torch.linalg.vecdot(grad, output)
        factor = np.float32(1 / math.sqrt(channels))
        whole = ctx.window is None
        gradients = (query.new_empty if whole else query.new_zeros)(3, *query.shape)
        tensors = (query, key, value, grad, delta, *gradients)
        tiles = list(tiles_of(positions, ctx.window))
        for group, (_, q, k, v, g, d, dq, dk, dv) in enumerate(_groups(heads, *tensors)):
            # Without a window the last tile sees every key. It comes first and writes; others add.
            for tile, rows, seen in reversed(tiles):
                p = weights[group * len(tiles) + tile]
                ds = torch.bmm(g[:, rows], v[:, seen].mT)
                kept = torch.empty_like(p)
                lines = _lines(heads, p, ds, kept)
                sums = d[:, rows].contiguous().view(lines[0].shape[:2]).numpy()
                arrays = (*lines, sums, factor, ctx.scale)
                run_in_rows(kernels.softmax_backward, p.shape[0] // heads, *arrays)
                torch.bmm(ds, k[:, seen], out=dq[:, rows])
                add = not whole or tile < len(tiles) - 1
                for out, left, right in ((dk, ds, q), (dv, kept, g)):
                    multiply(out[:, seen], left.mT, right[:, rows], add=add)
        shape = (3, -1, heads, positions, channels)
        return gradients.view(shape).permute(1, 3, 0, 2, 4), None, None, None


def multiply(out: Tensor, left: Tensor, right: Tensor, *, add: bool) -> None:
    """Let out = left @ right; or add the products to `out`."""
    if add:
        out.baddbmm_(left, right)
    else:
        torch.bmm(left, right, out=out)


def sequences_at_once(heads: int, positions: int) -> int:
    """Sequences of which a tile holds the same rows, so that it fits the cache."""
    return max(1, MAX_TILE_WEIGHTS // (heads * min(ROWS, positions) * positions))


def _groups(heads: int, *tensors: Tensor) -> Iterator[tuple[Any, ...]]:
    """Split into groups of sequences with tiles that fit the cache; yields (first, *tensors)."""
    rows, positions = tensors[0].shape[:2]
    at_once = heads * sequences_at_once(heads, positions)
    for first in range(0, rows, at_once):
        yield first // heads, *(tensor[first : first + at_once] for tensor in tensors)


def tiles_of(positions: int, window: int | None) -> Iterator[tuple[int, slice, slice]]:
    """Yield each tile's number, its query rows, and the keys that its rows attend to."""
    for tile, start in enumerate(range(0, positions, ROWS)):
        end = min(start + ROWS, positions)
        first = 0 if window is None else max(0, start - window + 1)
        yield tile, slice(start, end), slice(first, end)


def first_keys(
    sequences: int, positions: int, window: int | None, starts: Tensor | None
) -> NDArray[np.int64]:
    """The first key that each query attends to, (sequence, position); empty if all attend to all."""
    if window is None:
        return NO_STARTS if starts is None else starts.numpy()
    of_documents = np.zeros((sequences, 1), np.int64) if starts is None else starts.numpy()
    return np.maximum(of_documents, np.arange(positions) - window + 1)


def _lines(heads: int, *tensors: Tensor) -> list[Any]:
    """(sequence, head x row, key) arrays of (sequence x head, row, key) tensors."""
    _, rows, keys = tensors[0].shape
    return [tensor.view(-1, heads * rows, keys).numpy() for tensor in tensors]
