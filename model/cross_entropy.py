"""The training loss from the last hidden layer, without holding all logits in memory.

The logits are the largest tensor of a language model: with GPT-2's vocabulary, those of 16 x 1024
tokens take 3.3 GB in float32, and their gradients as much again. Here the tokens are processed in
pieces: each piece's logits are computed, turned into losses and gradients, and freed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model import kernels
from model.compiled import run_in_rows
from model.linear import is_plain, product, weight_gradient
from model.optional import triton_kernels

MAX_LOGITS = {"cpu": 2**20, "cuda": 2**29}
"""Maximum number of logits in memory: small enough for a CPU's caches, large enough to keep a GPU
busy."""
ALIGNMENT = {"cpu": 1, "cuda": 64}
"""The logits of each token are padded to a multiple of this: tensor cores need aligned rows."""
MIN_TOKENS = 256
"""Minimum number of tokens in a piece: each piece costs a pass over the whole weight gradient."""


class LossOptions(NamedTuple):
    """What is changed about the cross-entropy."""

    softcap: float | None = None
    """The logits are those after `capped`; None for the logits as they are."""
    z_loss: float = 0.0
    """Factor of log(Z)^2 in the gradient, where Z is the sum of exp(logits)."""


PLAIN = LossOptions()
"""Nothing is changed."""


class HeadLoss(torch.autograd.Function):
    """scale * the sum over tokens of -log softmax(hidden @ weight.T)[target].

    The loss is scaled here, not afterwards, so that float16 gradients stay within float16's range.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch's context)
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        scale: Tensor,
        options: LossOptions = PLAIN,
    ) -> Tensor:
        """The loss, a scalar; hidden (token, width), weight (vocabulary, width), targets (token,)."""
        device, vocabulary = hidden.device.type, len(weight)
        pieces = math.ceil(len(hidden) / max(MIN_TOKENS, MAX_LOGITS[device] // vocabulary))
        at_once = math.ceil(len(hidden) / pieces)
        weight_grad = torch.zeros_like(weight)
        dtype = _compute_type(hidden)
        matrix = weight.to(dtype)
        if padding := -vocabulary % ALIGNMENT[device]:
            matrix = F.pad(matrix, (0, 0, 0, padding))
        losses, hidden_grad = [], torch.empty_like(hidden)
        for rows, chosen, out in zip(
            hidden.to(dtype).split(at_once),  # type: ignore[no-untyped-call]
            targets.split(at_once),  # type: ignore[no-untyped-call]
            hidden_grad.split(at_once),  # type: ignore[no-untyped-call]
            strict=True,
        ):
            piece = _piece if options.softcap is None else _capped_piece
            grad, loss = piece(product(rows, matrix), chosen, scale, vocabulary, options)
            losses.append(loss)
            out.copy_(product(grad, matrix.t()))
            weight_grad += weight_gradient(rows, grad)[:vocabulary]
        ctx.save_for_backward(hidden_grad, weight_grad)
        return torch.cat(losses).sum() * scale

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:  # noqa: ANN401
        hidden_grad, weight_grad = ctx.saved_tensors
        return hidden_grad.mul_(grad), weight_grad.mul_(grad), None, None, None


def capped(logits: Tensor, softcap: float) -> Tensor:
    """Logits between -softcap and softcap (Gemma Team 2024, "Gemma 2", section 2)."""
    return softcap * torch.tanh(logits / softcap)


def _compute_type(x: Tensor) -> torch.dtype:
    """The type in which autocast computes a matrix product of `x`."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def _capped_piece(
    logits: Tensor, targets: Tensor, scale: Tensor, vocabulary: int, options: LossOptions
) -> tuple[Tensor, Tensor]:
    """`_piece` of capped logits, in float32 at least; the gradient is that of the logits before."""
    softcap = options.softcap or math.inf
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    shrunk = capped(wide, softcap)
    slope = 1 - (shrunk / softcap).square_()
    grad, losses = _piece(shrunk, targets, scale, vocabulary, options)
    return grad.mul_(slope).to(logits.dtype), losses


def _piece(
    logits: Tensor, targets: Tensor, scale: Tensor, vocabulary: int, options: LossOptions
) -> tuple[Tensor, Tensor]:
    """`_cross_entropy`, and the gradient of the z-loss if there is one (Chowdhery et al. 2022, PaLM, sec. 5).

    Its gradient is 2 z log(Z) softmax(logits), and that of the cross-entropy softmax(logits) - 1 of the
    target, so it can be made of the latter in place.
    """
    if options.z_loss == 0:
        return _cross_entropy(logits, targets, scale, vocabulary)
    chosen = logits.gather(1, targets[:, None]).float()  # before the gradient takes their place
    grad, losses = _cross_entropy(logits, targets, scale, vocabulary)
    factor = 2 * options.z_loss * (losses[:, None] + chosen)
    grad.mul_(1 + factor)
    return grad.scatter_add_(1, targets[:, None], (factor * scale).to(grad.dtype)), losses


def _cross_entropy(
    logits: Tensor, targets: Tensor, scale: Tensor, vocabulary: int
) -> tuple[Tensor, Tensor]:
    """The scaled gradient of the logits, in their type, and each token's loss in float32.

    Logits beyond the vocabulary are padding; their gradient is 0.
    """
    if is_plain(logits):
        if int(targets.max()) >= logits.shape[1]:  # the kernel does not check
            raise IndexError(f"target {int(targets.max())} of {logits.shape[1]} tokens")
        losses = torch.empty(len(logits))
        lines = (logits.numpy(), targets.numpy(), losses.numpy(), scale.numpy()[()])
        run_in_rows(kernels.cross_entropy, len(logits), *lines)
        return logits, losses
    if logits.is_cuda and triton_kernels is not None:
        return logits, triton_kernels.cross_entropy(logits, targets, scale, vocabulary)
    logs = F.log_softmax(logits[:, :vocabulary], -1, dtype=torch.float32)
    losses = -logs.gather(1, targets[:, None]).squeeze(1)
    chosen = torch.arange(vocabulary, device=logits.device) == targets[:, None]
    grad = logs.exp_().add_(chosen, alpha=-1).mul_(scale).to(logits.dtype)
    return F.pad(grad, (0, logits.shape[1] - vocabulary)), losses
