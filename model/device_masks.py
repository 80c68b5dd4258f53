"""Dropout masks computed on the model's device, equal to those of `model.kernels`.

The host sends only a few numbers before each micro-batch, and the GPU computes the masks from
them, so that it never waits for the host.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from model.kernels import LEVELS, MULTIPLIERS, ROUNDS, UNITS_PER_BLOCK, WEYL
from model.optional import triton_kernels

_WORD = 0xFFFFFFFF


def keep_mask(place: Tensor, site: Tensor, shape: tuple[int, ...], dropped: int) -> Tensor:
    """0 where a unit is dropped and 1 / P(kept) elsewhere, float32 of `shape` (sequence, ...).

    `place` is (first sequence, step, key, key) and `site` the site's number: int64, on the device.
    """
    rows = shape[0], math.prod(shape[1:])
    by_triton = place.is_cuda and triton_kernels is not None
    kept = (triton_kernels.kept if by_triton else _kept)(place, site, rows, dropped)
    return kept.view(shape).to(torch.float32) * (LEVELS / (LEVELS - dropped))


def _kept(place: Tensor, site: Tensor, shape: tuple[int, int], dropped: int) -> Tensor:
    """True for each unit that is kept, shape (sequence, unit); works on any device."""
    sequences, units = shape
    blocks = -(-units // UNITS_PER_BLOCK)
    sequence = place[0] + torch.arange(sequences, device=place.device)[:, None]
    block = torch.arange(blocks, device=place.device)[None, :]
    words = _philox(block, sequence, site, place[1:])
    bits = torch.stack([words & 0xFFFF, words >> 16], -1).flatten(1)[:, :units]
    return bits >= dropped


def _philox(block: Tensor, sequence: Tensor, site: Tensor, step_and_key: Tensor) -> Tensor:
    """Philox4x32-7 (Salmon et al. 2011) in int64: (sequence, word), word 0 of all blocks first."""
    step, key0, key1 = step_and_key[0], step_and_key[1], step_and_key[2]
    x0, x1, x2, x3 = block, sequence, site, step
    for _ in range(ROUNDS):
        # A product may overflow into the sign bit, which the shift copies; the mask removes it.
        p0, p1 = x0 * MULTIPLIERS[0], x2 * MULTIPLIERS[1]
        x0, x2 = ((p1 >> 32) & _WORD) ^ x1 ^ key0, ((p0 >> 32) & _WORD) ^ x3 ^ key1
        x1, x3 = p1 & _WORD, p0 & _WORD
        key0, key1 = (key0 + WEYL[0]) & _WORD, (key1 + WEYL[1]) & _WORD
    return torch.cat(torch.broadcast_tensors(x0, x1, x2, x3), dim=1)  # type: ignore[no-untyped-call]
