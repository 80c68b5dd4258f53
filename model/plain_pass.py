"""Loss and gradients of a plain model on a CPU, without autograd and in buffers that are kept.

At the default study's size a third of a step was spent between our kernels and the matrix products: in
autograd, in the allocator, and in caches that new memory is not in (docs/decisions/0003). Here the
passes are written out, with the operations of the modules in their order, so that every bit is the
same. `is_plain_model` says for which models that is done; autograd computes all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from model import kernels
from model.compiled import run_in_rows
from model.config import ModelConfig
from model.cross_entropy import HeadLoss, LossOptions
from model.dropout import Dropout
from model.gradients import add_gradient, add_linear_gradients, array_of
from model.kept_activations import TORCH_OPERATIONS
from model.kept_attention import AttentionBuffers, KeptAttention
from model.kept_feed_forward import FeedForwardBuffers, KeptFeedForward
from model.kept_norms import make_kept_norm
from model.kept_placing import KeptPlacing
from model.kernels import Mask
from model.linear import product

if TYPE_CHECKING:
    from model.gpt import GPT

FREE_FIELDS: Final = {
    *("layers", "heads", "width", "context", "dropout", "qkv_bias", "init_std"),
    *("tie_embeddings", "activation", "logit_softcap", "zero_init_projections"),
    *(
        "norm",
        "biases",
        "position",
        "rope_base",
        "rope_share",
        "qk_norm",
        "window",
        "window_pattern",
    ),
}
"""Fields of the model that may have any value; all others must have their default."""


def is_plain_model(config: ModelConfig) -> bool:
    """True if `PlainPass` computes this model."""
    fields = type(config).model_fields.items()
    others = (
        (getattr(config, name), field.default) for name, field in fields if name not in FREE_FIELDS
    )
    return config.activation in TORCH_OPERATIONS and all(mine == usual for mine, usual in others)


class PlainPass:
    """Adds up the gradients of a model for micro-batches of one shape: (sequence, position)."""

    def __init__(self, model: GPT, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._model = model
        config, rows = model.config, shape[0] * shape[1]
        attention = AttentionBuffers(*shape, config.heads, config.head_channels)
        self._shared = _Shared(rows, config, attention)
        self._norm = make_kept_norm(model.final_norm, self._shared.grad)
        self._layers = [_Layer(block, self._shared, shape[0]) for block in model.blocks]

    @torch.no_grad()
    def add_gradients(
        self, tokens: Tensor, targets: Tensor, scale: Tensor, options: LossOptions
    ) -> Tensor:
        """The loss; adds its gradient to that of every parameter."""
        model = self._model
        x = model.embedding_dropout(model.embed(tokens)).view(self._shared.grad.shape)
        for layer in self._layers:
            x = layer.forward(x)
        head = _Kept()
        inputs = (self._norm.forward(x), model.head.weight, targets.flatten(), scale, options)
        loss = HeadLoss.forward(head, *inputs)
        grad, of_head = head.saved_tensors
        grad = self._norm.backward(grad)
        for layer in reversed(self._layers):
            grad = layer.backward(grad)
        self._embed_backward(tokens, grad, of_head)
        return loss

    def _embed_backward(self, tokens: Tensor, grad: Tensor, of_head: Tensor) -> None:
        model, weight = self._model, self._model.token_embedding.weight
        mask = _mask(model.embedding_dropout)
        grad = _drop(grad, mask, self._shared.branch, self.shape[0])
        if model.position_embedding is not None:
            of_places = torch.zeros_like(model.position_embedding.weight)
            of_places[: self.shape[1]] = grad.view(*self.shape, -1).sum(0)
            add_gradient(model.position_embedding.weight, of_places)
        of_tokens = torch.ops.aten.embedding_dense_backward(
            grad, tokens.flatten(), len(weight), -1, False
        )
        if model.head.weight is weight:
            of_tokens += of_head
        else:
            add_gradient(model.head.weight, of_head)
        add_gradient(weight, of_tokens)


class _Kept:
    """Stands in for autograd's context."""

    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep tensors for the backward pass."""
        self.saved_tensors = tensors


class _Shared:
    """Buffers that all layers use, one after the other."""

    def __init__(self, rows: int, config: ModelConfig, attention: AttentionBuffers) -> None:
        width, self.activation = config.width, config.activation
        self.attention = attention
        self.feed_forward = FeedForwardBuffers(rows, config.hidden_channels)
        self.branch, self.inner_grad, self.norm_grad, self.grad = torch.empty(4, rows, width)


class _Layer:
    """A block with what its backward pass needs."""

    def __init__(self, block: Any, shared: _Shared, sequences: int) -> None:  # noqa: ANN401
        self._block, self._shared, self._sequences = block, shared, sequences
        self._placing = KeptPlacing(block.attention, shared.attention)
        self._attention = KeptAttention(shared.attention, block.attention.window)
        rows, width = shared.branch.shape
        self._norm = make_kept_norm(block.attention_norm, shared.norm_grad)
        self._later_norm = make_kept_norm(block.feed_forward_norm, shared.norm_grad)
        self._between, self._out = torch.empty(2, rows, width)
        self._feed_forward = KeptFeedForward(
            block.feed_forward, shared.activation, shared.feed_forward
        )

    def forward(self, x: Tensor) -> Tensor:
        """The residual stream (row, width), before and after the block."""
        block, shared = self._block, self._shared
        self._masks = [
            _mask(site) for site in (block.attention_dropout, block.feed_forward_dropout)
        ]
        self._first = self._norm.forward(x)
        into, projection = block.attention.qkv, block.attention.projection
        masks = block.attention.dropout.mask if block.attention.dropout.active else None
        qkv = product(self._first, into.weight, into.bias, self._placing.projected)
        self._mixed = self._attention.forward(self._placing.forward(qkv), masks)
        branch = product(self._mixed, projection.weight, projection.bias, shared.branch)
        self._add_dropped(x, branch, self._masks[0], self._between)
        second = self._later_norm.forward(self._between)
        branch = self._feed_forward.forward(second, shared.branch)
        return self._add_dropped(self._between, branch, self._masks[1], self._out)

    def backward(self, grad: Tensor) -> Tensor:
        """The gradient after the block to that before it, in place."""
        block, shared = self._block, self._shared
        branch = _drop(grad, self._masks[1], shared.branch, self._sequences)
        inner = self._feed_forward.backward(branch, shared.inner_grad)
        grad += self._later_norm.backward(inner)
        branch = _drop(grad, self._masks[0], shared.branch, self._sequences)
        projection, qkv = block.attention.projection, block.attention.qkv
        add_linear_gradients(projection, self._mixed, branch)
        mixed = product(branch, projection.weight.t(), None, shared.inner_grad)
        of_qkv = self._placing.backward(self._attention.backward(mixed))
        add_linear_gradients(qkv, self._first, of_qkv)
        first = product(of_qkv, qkv.weight.t(), None, shared.inner_grad)
        return grad.add_(self._norm.backward(first))

    def _add_dropped(self, x: Tensor, branch: Tensor, mask: Mask | None, out: Tensor) -> Tensor:
        if mask is None:
            return torch.add(x, branch, out=out)
        arrays = [array_of(each.view(self._sequences, -1)) for each in (x, branch, out)]
        run_in_rows(kernels.add_dropped, self._sequences, *arrays, *mask)
        return out


def _drop(x: Tensor, mask: Mask | None, out: Tensor, sequences: int) -> Tensor:
    """`x` after dropout: `out`, or `x` itself if nothing is dropped."""
    if mask is None:
        return x
    arrays = [array_of(each.view(sequences, -1)) for each in (x, out)]
    run_in_rows(kernels.drop, sequences, *arrays, *mask)
    return out


def _mask(site: Dropout) -> Mask | None:
    return site.mask() if site.active else None
