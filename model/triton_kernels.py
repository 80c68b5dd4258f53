"""GPU kernels compiled by Triton, the counterparts of `model.kernels`.

Each replaces many torch operations. CUDA builds of torch install Triton.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor
from triton import language as tl

from model.kernels import ROUNDS, UNITS_PER_BLOCK

COUNTERS = 256
"""Philox blocks per Triton program."""
LOGITS = 4096
"""Logits of one token that are loaded at once."""
_ROUNDS = tl.constexpr(ROUNDS)


def kept(place: Tensor, site: Tensor, shape: tuple[int, int], dropped: int) -> Tensor:
    """True for each unit that is kept, shape (sequence, unit); see `device_masks.keep_mask`."""
    sequences, units = shape
    blocks = -(-units // UNITS_PER_BLOCK)
    out = torch.empty(shape, dtype=torch.bool, device=place.device)
    _kept[sequences, triton.cdiv(blocks, COUNTERS)](
        out, place, site, blocks, units, dropped, counters=COUNTERS
    )
    return out


@triton.jit
def _kept(out, place, site, blocks, units, dropped, counters: tl.constexpr):
    """Decide the units of some blocks of one sequence; word w of block b is at w * blocks + b."""
    sequence = tl.program_id(0)
    block = tl.program_id(1) * counters + tl.arange(0, counters)
    key = tl.load(place + 2).to(tl.uint64) | (tl.load(place + 3).to(tl.uint64) << 32)
    zeros = tl.zeros([counters], tl.uint32)
    x0, x1, x2, x3 = tl.philox(
        key,
        block.to(tl.uint32),
        zeros + (tl.load(place) + sequence).to(tl.uint32),
        zeros + tl.load(site).to(tl.uint32),
        zeros + tl.load(place + 1).to(tl.uint32),
        _ROUNDS,
    )
    line = out + sequence.to(tl.int64) * units
    _store_two(line, x0, block, block < blocks, units, dropped)
    _store_two(line, x1, block + blocks, block < blocks, units, dropped)
    _store_two(line, x2, block + 2 * blocks, block < blocks, units, dropped)
    _store_two(line, x3, block + 3 * blocks, block < blocks, units, dropped)


@triton.jit
def _store_two(line, word, number, valid, units, dropped):
    """Store the two units of each word: the lower 16 bits decide the first, the upper the other."""
    half = tl.arange(0, 2)
    unit = 2 * number[:, None] + half[None, :]
    bits = (word[:, None] >> (16 * half[None, :]).to(tl.uint32)) & 0xFFFF
    tl.store(line + unit, bits.to(tl.int32) >= dropped, mask=valid[:, None] & (unit < units))


def cross_entropy(logits: Tensor, targets: Tensor, scale: Tensor, vocabulary: int) -> Tensor:
    """Each token's loss, float32; replaces the logits (token, padded vocabulary) by their gradient.

    The gradient is multiplied by `scale`; it is 0 for the padding.
    """
    losses = torch.empty(len(logits), device=logits.device)
    _cross_entropy[(len(logits),)](
        logits, targets, scale, losses, vocabulary, logits.shape[1], at_once=LOGITS, num_warps=8
    )
    return losses


@triton.jit
def _cross_entropy(
    logits,
    targets,
    scale,
    losses,
    vocabulary: tl.constexpr,
    width: tl.constexpr,
    at_once: tl.constexpr,
):
    """One token: log-sum-exp in one pass (Milakov and Gimelshein 2018), gradient in another."""
    row = tl.program_id(0).to(tl.int64)
    line, target = logits + row * width, tl.load(targets + row)
    largest, total = -1e38, 0.0
    for first in range(0, vocabulary, at_once):
        unit = first + tl.arange(0, at_once)
        x = tl.load(line + unit, mask=unit < vocabulary, other=float("-inf")).to(tl.float32)
        above = tl.maximum(largest, tl.max(x, 0))
        total = total * tl.exp(largest - above) + tl.sum(tl.exp(x - above), 0)
        largest = above
    chosen = tl.load(line + target).to(tl.float32)
    tl.store(losses + row, tl.log(total) + largest - chosen)
    weight = tl.load(scale)
    share = weight / total
    for first in range(0, width, at_once):
        unit = first + tl.arange(0, at_once)
        x = tl.load(line + unit, mask=unit < vocabulary, other=float("-inf")).to(tl.float32)
        grad = tl.exp(x - largest) * share - tl.where(unit == target, weight, 0.0)
        tl.store(line + unit, grad.to(logits.dtype.element_ty), mask=unit < width)
