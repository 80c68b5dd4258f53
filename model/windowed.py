"""Attention to some of the positions: a sliding window, or those of the same document.

Windows: Beltagy et al. 2020, "Longformer", section 3.1. Documents: Grattafiori et al. 2024, "The Llama 3
herd of models", section 3.2; positions are not counted anew in each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from model.tiled import ROWS

KeepMask = Callable[[tuple[int, ...], int], Tensor]
"""Maps the shape and the number of a tile of attention weights to their dropout mask."""


def visible(
    queries: range,
    keys: range,
    window: int | None,
    device: torch.device,
    starts: Tensor | None = None,
) -> Tensor:
    """True where a query attends to a key: bool (query, key). The window includes the query.

    With `starts`, of `model.documents`, bool (sequence, 1, query, key).
    """
    query = torch.arange(queries.start, queries.stop, device=device)[:, None]
    key = torch.arange(keys.start, keys.stop, device=device)
    seen = key <= query
    if window is not None:
        seen = seen & (key > query - window)
    if starts is not None:
        seen = seen & (key >= starts[:, None, queries.start : queries.stop, None])
    return seen


def windowed(
    qkv: Tensor, window: int | None, keep: KeepMask | None, starts: Tensor | None = None
) -> Tensor:
    """Attention of each position to the `window` last ones, and with `starts` to those of its document:
    (3, sequence, head, position, channel) to (sequence, head, position, channel).

    Used in training on a GPU; `TiledAttention` computes the same on a CPU. Both compute tiles of query
    rows with only the keys that they need. The dropout masks are those of attention without a window, so
    that arms with and without one drop the same weights.
    """
    query, key, value = qkv
    sequences, heads, positions, channels = query.shape
    mixed = []
    for tile, start in enumerate(range(0, positions, ROWS)):
        end = min(start + ROWS, positions)
        first = 0 if window is None else max(0, start - window + 1)
        scores = query[:, :, start:end] @ key[:, :, first:end].mT / math.sqrt(channels)
        seen = visible(range(start, end), range(first, end), window, query.device, starts)
        weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
        if keep is not None:
            weights = weights * keep((sequences, heads, end - start, end), tile)[..., first:]
        mixed.append(weights @ value[:, :, first:end])
    return torch.cat(mixed, 2)
