"""The training of GPT-2 as a textbook has it, to hold the fast trainer against.

Nothing is shared with the product, save the text that a step reads and the dropout masks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    SequentialLR,
)

from model.dropout import DropoutStream
from tests.trainer.plain_model import GPT2, Masks, balancing_loss, split_qkv
from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe, vocabulary_size
from trainer.recipe_sections import OptimizerConfig
from trainer.training.batches import Batches


def copy_of(product: nn.Module, recipe: Recipe, dtype: torch.dtype) -> GPT2:
    """A plain model with the product's weights."""
    vocabulary = vocabulary_size(recipe.data.tokenizer)
    border = vocabulary - 1 if recipe.data.mask_documents else None
    model = GPT2(recipe.model, vocabulary, recipe.train.multi_token, border)
    model.load_state_dict(split_qkv(product.state_dict()))
    return model.to(dtype)


def mean_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """In nats per token; logits (..., vocabulary), targets (...)."""
    logarithms = torch.log_softmax(logits, dim=-1)
    return -logarithms.gather(-1, targets.unsqueeze(-1)).mean()


class ReferenceTrainer:
    """Starts with the weights of `product`, and from then on has nothing to do with it."""

    def __init__(
        self, product: nn.Module, recipe: Recipe, corpus: Corpus, dtype: torch.dtype = torch.float32
    ) -> None:
        self.recipe = recipe
        self.model = copy_of(product, recipe, dtype)
        self.batches = Batches(recipe, corpus.train, corpus.parts)
        self.masks = Masks(DropoutStream(recipe.seeds.dropout), recipe.model.dropout)
        self.optimizer = adamw(self.model, recipe.optimizer)
        self.schedule = schedule(self.optimizer, recipe)

    @property
    def learning_rate(self) -> float:
        """That of the step to come."""
        (rate,) = {float(group["lr"]) for group in self.optimizer.param_groups}
        return rate

    def step(self, step: int) -> tuple[float, float]:
        """Take one step; the loss before it and the norm of the unclipped gradient."""
        inputs, targets = self.batches.read(step)
        self.masks.stream.seek(step, first_sequence=0)
        self.optimizer.zero_grad()
        loss = mean_cross_entropy(self.model(inputs, self.masks), targets)
        (loss + balancing_loss(self.model)).backward()  # type: ignore[no-untyped-call]
        largest = self.recipe.optimizer.clip_norm
        norm = nn.utils.clip_grad_norm_(
            self.model.parameters(), math.inf if largest is None else largest
        )
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach()), float(norm)


def adamw(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """Loshchilov and Hutter 2019, one parameter after the other."""
    decayed, spared = [], []
    for parameter in model.parameters():
        is_matrix = parameter.dim() >= 2
        (decayed if is_matrix or config.decay == "all" else spared).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": spared, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        foreach=False,
        fused=False,
    )


def schedule(optimizer: torch.optim.Optimizer, recipe: Recipe) -> LRScheduler:
    """A linear warm-up, if there is one, and what comes after it."""
    shape, warmup = recipe.schedule, round(recipe.schedule.warmup * recipe.steps)
    after: LRScheduler = ConstantLR(optimizer, factor=1.0)
    if shape.kind == "cosine":
        final = shape.final_factor * recipe.optimizer.learning_rate
        after = CosineAnnealingLR(optimizer, recipe.steps - warmup, eta_min=final)
    if warmup == 0:
        return after
    rise = LinearLR(optimizer, start_factor=shape.warmup_factor, total_iters=warmup)
    return SequentialLR(optimizer, [rise, after], milestones=[warmup])
