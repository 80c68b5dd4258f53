"""The whole network: token ids in, logits out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.block import Block
from model.config import ModelConfig
from model.cross_entropy import HeadLoss, LossOptions, capped
from model.documents import document_starts
from model.dropout import Dropout
from model.experts import Experts, WithGradientOf
from model.key_value_cache import Cache
from model.linear import Linear, is_plain
from model.norm import make_norm
from model.plain_pass import PlainPass, is_plain_model


class BlockInputs(NamedTuple):
    """What a block reads without a cache, apart from its parameters."""

    stream: Tensor
    """The residual stream (sequence, position, width)."""
    embedded: Tensor | None
    """The first block's input, with `model.residual_scale`."""
    values: Tensor | None
    """What is added to its values, with `model.value_embeddings`."""
    starts: Tensor | None
    """Where documents begin, as `model.documents` has it, if attention does not cross their borders."""


class GPT(nn.Module):
    """A GPT-2-style decoder. Its parameters must be filled by `model.init.initialise` or loaded.

    Raises IndexError when a sequence is longer than `config.context`.
    """

    def __init__(
        self, config: ModelConfig, vocabulary: int, end_of_text: int | None = None
    ) -> None:
        """With `end_of_text`, the id of that token, attention does not cross it: see `hidden`."""
        super().__init__()
        self.config = config
        self.end_of_text = end_of_text
        self.token_embedding = nn.Embedding(vocabulary, config.width)
        self.position_embedding = (
            nn.Embedding(config.context, config.width) if config.position == "learned" else None
        )
        self.embedding_dropout = Dropout(config.dropout, site=0)
        self.value_embeddings = nn.ModuleDict(
            {
                str(index): nn.Embedding(vocabulary, config.key_value_heads * config.head_channels)
                for index in range(config.layers)
                if config.has_value_embedding(index)
            }
        )
        self.blocks = nn.ModuleList(Block(config, index) for index in range(config.layers))
        self.final_norm = make_norm(config)
        self.head = Linear(config.width, vocabulary, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.token_embedding.weight
        self._pass: PlainPass | None = None

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (sequence, position), int64, to logits (sequence, position, vocabulary)."""
        return self.logits(self.hidden(tokens))

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) to (..., vocabulary)."""
        logits = self.head(hidden)
        cap = self.config.logit_softcap
        return logits if cap is None else capped(logits, cap)

    def hidden(self, tokens: Tensor, caches: Sequence[Cache] | None = None) -> Tensor:
        """The head's input: token ids (sequence, position) to (sequence, position, width).

        With `caches`, one per block, the tokens continue the cached sequences, each of one document.
        """
        stream, *rest = self.last_inputs(tokens, caches)
        x = self.blocks[-1](stream, caches[-1] if caches else None, *rest)
        return self.final_norm(x)  # type: ignore[no-any-return]

    def last_inputs(self, tokens: Tensor, caches: Sequence[Cache] | None = None) -> BlockInputs:
        """What the last block reads; tokens and caches as in `hidden`."""
        x = self.embed(tokens, caches[0] if caches else None)
        x = self.embedding_dropout(x)
        embedded = x if self.config.residual_scale else None
        starts = None
        if self.end_of_text is not None and caches is None:
            starts = document_starts(tokens, self.end_of_text)
        last = len(self.blocks) - 1
        for index in range(last):
            values = self._value_embedding(index, tokens)
            x = self.blocks[index](x, caches[index] if caches else None, embedded, values, starts)
        return BlockInputs(x, embedded, self._value_embedding(last, tokens), starts)

    def kept_parameters(self) -> dict[str, nn.Parameter]:
        """The parameters that a trained model needs, by name; a tied one once."""
        return dict(self.named_parameters())

    def embed(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """Embeddings of tokens and positions: (sequence, position) to (sequence, position, width)."""
        length = tokens.shape[1]
        if self.position_embedding is None:
            self._check_length(length + (cache.longest if cache else 0))
            return self.token_embedding(tokens)  # type: ignore[no-any-return]
        places = cache.places(length) if cache else torch.arange(length, device=tokens.device)
        return self.token_embedding(tokens) + self.position_embedding(places)  # type: ignore[no-any-return]

    def _value_embedding(self, layer: int, tokens: Tensor) -> Tensor | None:
        """What a layer adds to its values: (sequence, position, channel) of all its heads, or None."""
        if not self.config.has_value_embedding(layer):
            return None
        return self.value_embeddings[str(layer)](tokens)  # type: ignore[no-any-return]

    def _check_length(self, length: int) -> None:
        if length > self.config.context:
            raise IndexError(f"a sequence of {length} tokens; the context is {self.config.context}")

    def add_gradients(
        self, tokens: Tensor, targets: Tensor, scale: Tensor, z_loss: float = 0.0
    ) -> Tensor:
        """`loss`, detached; adds its gradient to that of every parameter."""
        if not self._is_plain:
            loss = self.loss(tokens, targets, scale, z_loss)
            with torch.autocast(loss.device.type, enabled=False):  # it is for forward passes
                loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach()
        if self._pass is None or self._pass.shape != tokens.shape:
            self._pass = None  # frees its buffers first
            self._pass = PlainPass(self, tokens.shape)  # type: ignore[arg-type]
        options = LossOptions(self.config.logit_softcap, z_loss)
        return self._pass.add_gradients(tokens, targets, scale, options)

    @property
    def _is_plain(self) -> bool:
        """True if a `PlainPass` computes the gradients now."""
        usual = type(self) is GPT and self.end_of_text is None and is_plain_model(self.config)
        return usual and self.training and is_plain(self.head.weight)

    def loss(self, tokens: Tensor, targets: Tensor, scale: Tensor, z_loss: float = 0.0) -> Tensor:
        """`scale` times the summed cross-entropy in nats; tokens and targets (sequence, position).

        The gradient is also that of `z_loss` times log(Z)^2, where Z is the denominator of the softmax,
        and that of the experts' balancing loss, per token, if there is one.
        """
        loss = self.loss_of(self.hidden(tokens), targets, scale, z_loss)
        return self.balanced(loss, tokens.shape[1] * scale)

    def loss_of(self, hidden: Tensor, targets: Tensor, scale: Tensor, z_loss: float) -> Tensor:
        """The loss of hidden states (sequence, position, width), as in `loss`, without balancing."""
        options = LossOptions(self.config.logit_softcap, z_loss)
        inputs = (hidden.flatten(0, 1), self.head.weight, targets.flatten(), scale, options)
        return HeadLoss.apply(*inputs)  # type: ignore[no-any-return, no-untyped-call]

    def balanced(self, loss: Tensor, scale: Tensor) -> Tensor:
        """`loss`, with the gradient of the experts' balancing loss times `scale` added to its own."""
        if self.config.experts is None or not self.training:
            return loss
        unequal = sum(m.take_imbalance() for m in self.modules() if isinstance(m, Experts))
        added = unequal * (self.config.expert_balance * scale)
        return WithGradientOf.apply(loss, added)  # type: ignore[no-any-return, no-untyped-call]
