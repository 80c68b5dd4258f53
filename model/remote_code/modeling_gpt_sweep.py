"""A GPT-style decoder for transformers, with the changes that its configuration names.

It needs torch, transformers, and `configuration_gpt_sweep.py` and `layers_gpt_sweep.py` beside it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from .configuration_gpt_sweep import GPTSweepConfig
from .layers_gpt_sweep import (
    Block,
    BranchEnd,
    ExpertMatrices,
    Experts,
    LearnedSum,
    Place,
    make_norm,
    rotation,
)

CACHE = "cache" if hasattr(CausalLMOutputWithPast, "cache") else "past_key_values"
"""What this version of transformers calls the keys and values of earlier tokens."""


class GPTSweepPreTrainedModel(PreTrainedModel):
    """What transformers needs to know of these models."""

    config_class = GPTSweepConfig
    base_model_prefix = "model"
    _no_split_modules = ["Block"]  # noqa: RUF012  (as transformers has it)
    _supports_sdpa = True

    def _init_weights(self, module: nn.Module) -> None:
        """Initial values for training from scratch; GPT-2's (Radford et al. 2019, section 2.3)."""
        if isinstance(module, LearnedSum):
            with torch.no_grad():
                module.weight.copy_(torch.tensor(module.initial))
        elif isinstance(module, (nn.LayerNorm, nn.RMSNorm)):
            nn.init.ones_(module.weight)
        elif isinstance(module, (nn.Linear, nn.Embedding, ExpertMatrices)):
            ends_branch = isinstance(module, BranchEnd) or getattr(module, "ends_branch", False)
            factor = 1 / math.sqrt(2 * self.config.layers) if ends_branch else 1.0
            if ends_branch and self.config.zero_init_projections:
                factor = 0.0
            nn.init.normal_(module.weight, std=factor * self.config.initializer_range)
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor):
            nn.init.zeros_(bias)


class GPTSweepModel(GPTSweepPreTrainedModel):
    """The network without its head."""

    def __init__(self, config: GPTSweepConfig) -> None:
        super().__init__(config)
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        learned = config.position == "learned"
        self.position_embedding = nn.Embedding(config.context, config.width) if learned else None
        shared = config.num_key_value_heads * config.head_dim
        self.value_embeddings = nn.ModuleDict(
            {
                str(layer): nn.Embedding(config.vocab_size, shared)
                for layer in range(config.layers)
                if config.has_value_embedding(layer)
            }
        )
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.final_norm = make_norm(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.token_embedding

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.token_embedding = value

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        **given: Any,  # noqa: ANN401  (the cache, by either name)
    ) -> BaseModelOutputWithPast:
        """Token ids (sequence, position) to hidden states (sequence, position, width)."""
        cache = given.get("cache", given.get("past_key_values"))
        use_cache = self.config.use_cache and not self.training if use_cache is None else use_cache
        if use_cache and cache is None:
            cache = DynamicCache()
        place, positions = self._place(input_ids, attention_mask, position_ids, cache)
        x = self.token_embedding(input_ids)
        if self.position_embedding is not None:
            x = x + self.position_embedding(positions)
        x = embedded = self.dropout(x)
        states = [x]
        for layer, block in enumerate(self.blocks):
            name = str(layer)
            tables = self.value_embeddings
            x = block(x, place, embedded, tables[name](input_ids) if name in tables else None)
            states.append(x)
        x = states[-1] = self.final_norm(x)
        shown = tuple(states) if output_hidden_states else None
        return BaseModelOutputWithPast(last_hidden_state=x, hidden_states=shown, **{CACHE: cache})

    def _place(
        self,
        tokens: Tensor,
        mask: Tensor | None,
        positions: Tensor | None,
        cache: Any,  # noqa: ANN401
    ) -> tuple[Place, Tensor]:
        """The place of the tokens, and their positions (sequence, position)."""
        first = 0 if cache is None else int(cache.get_seq_length())
        last = first + tokens.shape[1]
        if self.position_embedding is not None and last > self.config.context:
            raise ValueError(
                f"{last} tokens are more than the {self.config.context} positions that this model "
                "has embeddings for; give it fewer"
            )
        if positions is None and mask is not None and mask.dim() == 2:
            positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, first:last]
        if positions is None:
            positions = torch.arange(first, last, device=tokens.device)[None]
        real = None if mask is None or bool(mask.all()) else _true_to_see(mask)
        turned = rotation(self.config, positions) if self.config.position == "rope" else None
        return Place(first, real, turned, cache), positions

    def imbalance(self) -> Tensor:
        """How unequally the last forward pass in training used the experts, summed over layers."""
        found = [m.imbalance for m in self.modules() if isinstance(m, Experts)]
        return torch.stack([each for each in found if each is not None]).sum()


def _true_to_see(mask: Tensor) -> Tensor:
    """A mask of transformers as bool (sequence, 1, position or 1, position), True to be attended to."""
    if mask.dim() == 2:  # 1 for tokens, 0 for padding
        return mask[:, None, None].bool()
    return mask if mask.dtype == torch.bool else mask == 0  # of floats, to be added to the scores


class GPTSweepForCausalLM(GPTSweepPreTrainedModel, GenerationMixin):
    """The network with its head: token ids in, logits out."""

    _tied_weights_keys = {"lm_head.weight": "model.token_embedding.weight"}  # noqa: RUF012

    def __init__(self, config: GPTSweepConfig) -> None:
        super().__init__(config)
        self.model = GPTSweepModel(config)
        self.lm_head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.model.token_embedding

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.model.token_embedding = value

    def get_output_embeddings(self) -> nn.Linear:
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
        self.lm_head = new_embeddings

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **given: Any,  # noqa: ANN401  (for the network, and for the loss of transformers)
    ) -> CausalLMOutputWithPast:
        """Token ids (sequence, position) to logits (sequence, position, vocabulary).

        With `labels`, which are shifted here, also the mean cross-entropy in nats; in training, that
        includes the balancing loss of the experts, if there are any.
        """
        found = self.model(input_ids, attention_mask, position_ids, **given)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(found.last_hidden_state[:, kept])
        if (cap := self.config.logit_softcap) is not None:  # Gemma Team 2024, "Gemma 2", section 2
            logits = cap * torch.tanh(logits / cap)
        return CausalLMOutputWithPast(
            loss=None if labels is None else self._loss(logits, labels, given),
            logits=logits,
            hidden_states=found.hidden_states,
            **{CACHE: getattr(found, CACHE)},
        )

    def _loss(self, logits: Tensor, labels: Tensor, given: dict[str, Any]) -> Tensor:
        total = given.get("num_items_in_batch")  # of all micro-batches, if there are several
        loss: Tensor = self.loss_function(
            logits=logits,
            labels=labels,
            vocab_size=self.config.vocab_size,
            num_items_in_batch=total,
        )
        if not self.config.experts or not self.training:
            return loss
        share = 1.0 if total is None else (labels[:, 1:] != -100).sum() / total
        added: Tensor = self.config.expert_balance * share * self.model.imbalance()
        return loss + added
