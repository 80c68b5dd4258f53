"""Dropout with masks that are a pure function of (seed, step, site, sequence).

Two arms trained with one seed must drop the same units, even if one has more dropout sites, another
micro-batch size, or was interrupted. So masks come from a counter-based generator without state
(see model.kernels), and the backward pass computes them again instead of storing them.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model import device_masks, kernels
from model.compiled import run_in_rows
from model.kernels import LEVELS, Mask
from model.linear import is_plain

TILE_STRIDE = 2**16
"""Tile t of a site has the number site + t * TILE_STRIDE; no model has this many sites."""


def dropped_levels(rate: float) -> int:
    """The rate in units of 1 / LEVELS, rounded; at most LEVELS - 1, so that some units are kept."""
    return min(round(rate * LEVELS), LEVELS - 1)


class DropoutStream:
    """The dropout masks of one run, and the current position in training."""

    def __init__(self, seed: int) -> None:
        digest = hashlib.sha256(f"dropout/{seed}".encode()).digest()
        self._key = np.frombuffer(digest[:8], dtype=np.uint32)
        self._step = 0
        self._first_sequence = 0
        self.on_device: Tensor | None = None
        """(first sequence, step, key, key), int64, on the model's device; None on a CPU."""

    def to(self, device: torch.device) -> None:
        """Make masks for a model on `device` from the next `seek` on."""
        if device.type != "cpu":
            self.on_device = torch.zeros(4, dtype=torch.int64, device=device)

    def seek(self, step: int, first_sequence: int) -> None:
        """Go to a micro-batch of optimiser step `step`; its first sequence has this index in the batch."""
        self._step = step
        self._first_sequence = first_sequence
        if self.on_device is not None:
            place = torch.tensor([first_sequence, step, *map(int, self._key)])
            if self.on_device.is_cuda:
                place = place.pin_memory()
            self.on_device.copy_(place, non_blocking=True)

    def mask(self, rate: float, site: int, *, tile: int = 0, first: int = 0) -> Mask:
        """The mask of a site, from sequence `first` of the micro-batch on.

        `tile` is the number of the tile, at a site that is computed in tiles.
        """
        place = np.array([site + TILE_STRIDE * tile, self._step, *self._key], dtype=np.uint32)
        dropped = dropped_levels(rate)
        scale = np.float32(LEVELS / (LEVELS - dropped))
        return Mask(self._first_sequence + first, place, np.uint32(dropped), scale)

    def keep_mask(self, rate: float, site: int, shape: tuple[int, ...], *, tile: int = 0) -> Tensor:
        """0 where a unit is dropped and 1 / P(kept) elsewhere: float32 of `shape`, on the CPU.

        The first dimension of `shape` is the sequence.
        """
        out = torch.empty(shape)
        mask = self.mask(rate, site, tile=tile)
        run_in_rows(kernels.keep_mask, len(out), _rows(out), *mask)
        return out

    def generator_place(self, site: int, per_sequence: int) -> tuple[int, int]:
        """See Dropout.generator_place."""
        place = hashlib.sha256(f"{self._key.tolist()}/{self._step}/{site}".encode()).digest()
        seed = int.from_bytes(place[:8], "little") >> 1
        return seed, self._first_sequence * per_sequence


class Dropout(nn.Module):
    """One dropout site, with masks from the stream set by `use_dropout`."""

    def __init__(self, rate: float, site: int) -> None:
        super().__init__()
        self.rate = rate
        self.site = site
        self.stream: DropoutStream | None = None
        # A tensor, so that torch.compile uses one graph for all blocks despite their different sites.
        self.number: Tensor
        self.register_buffer("number", torch.tensor(site), persistent=False)

    @property
    def active(self) -> bool:
        """True if a forward pass would drop units now."""
        return self.training and self.rate > 0

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of `x` (sequence, ...); the identity in evaluation."""
        if not self.active:
            return x
        if is_plain(x):
            return _Drop.apply(x, self.mask())  # type: ignore[no-any-return, no-untyped-call]
        return x * self.keep_mask(tuple(x.shape))

    def add(self, x: Tensor, branch: Tensor) -> Tensor:
        """`x` plus `branch` after dropout, in the type of `x`."""
        if not self.active:
            return x + branch
        if is_plain(x) and is_plain(branch):
            return _Add.apply(x, branch, self.mask())  # type: ignore[no-any-return, no-untyped-call]
        return torch.addcmul(x, branch, self.keep_mask(tuple(x.shape)))

    def mask(self, tile: int = 0, first: int = 0) -> Mask:
        """See DropoutStream.mask."""
        return self._stream.mask(self.rate, self.site, tile=tile, first=first)

    def generator_place(self, per_sequence: int) -> tuple[int, int]:
        """Seed and offset for a kernel that draws its own masks: `per_sequence` counters each."""
        return self._stream.generator_place(self.site, per_sequence)

    def keep_mask(self, shape: tuple[int, ...], tile: int = 0) -> Tensor:
        """See DropoutStream.keep_mask; on the model's device."""
        stream = self._stream
        if stream.on_device is None:
            return stream.keep_mask(self.rate, self.site, shape, tile=tile)
        number = self.number if tile == 0 else self.number + TILE_STRIDE * tile
        dropped = dropped_levels(self.rate)
        return device_masks.keep_mask(stream.on_device, number, shape, dropped)

    @property
    def _stream(self) -> DropoutStream:
        if self.stream is None:
            raise RuntimeError("a model in training needs a dropout stream: call use_dropout first")
        return self.stream


class _Drop(torch.autograd.Function):
    """x * mask."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Mask) -> Tensor:  # noqa: ANN401  (torch's context)
        ctx.mask = mask
        return _drop(x, mask)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return _drop(grad, ctx.mask), None


class _Add(torch.autograd.Function):
    """x + branch * mask."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, branch: Tensor, mask: Mask) -> Tensor:  # noqa: ANN401
        ctx.mask = mask
        x, branch = x.contiguous(), branch.contiguous()
        out = torch.empty_like(x)
        run_in_rows(kernels.add_dropped, x.shape[0], _rows(x), _rows(branch), _rows(out), *mask)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401
        return grad, _drop(grad, ctx.mask), None


def _drop(x: Tensor, mask: Mask) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    run_in_rows(kernels.drop, x.shape[0], _rows(x), _rows(out), *mask)
    return out


def _rows(x: Tensor) -> Any:  # noqa: ANN401  (an array)
    """(sequence, unit) array of a (sequence, ...) tensor."""
    return x.detach().view(x.shape[0], -1).numpy()


def use_dropout(model: nn.Module, stream: DropoutStream) -> None:
    """Make every dropout site of `model` read its masks from `stream`."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.stream = stream
