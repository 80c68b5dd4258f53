"""What a recipe can change in training, as its sources write it: one parameter after the other.

Shares nothing with the product but the text of a step and the dropout masks (see `reference`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from model.dropout import DropoutStream
from tests.trainer.plain_optimizers import make_update
from tests.trainer.reference import Masks, balancing_loss, copy_of, mean_cross_entropy
from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe
from trainer.training.batches import Batches


class PlainTrainer:
    """Starts with the weights of `product`; each step is written out."""

    def __init__(self, product: nn.Module, recipe: Recipe, corpus: Corpus) -> None:
        self.recipe = recipe
        self.model = copy_of(product, recipe, torch.float32)
        self.batches = Batches(recipe, corpus.train, corpus.parts)
        self.masks = Masks(DropoutStream(recipe.seeds.dropout), recipe.model.dropout)
        self.update = make_update(self.model, recipe.optimizer)
        self.history: list[Tensor] = []
        """The weights after each step."""

    def use_average(self) -> None:
        """Replace the weights by the average of those after each step that the recipe asks for."""
        steps = len(self.history)
        shares = [float(step == steps - 1) for step in range(steps)]
        if self.recipe.train.ema is not None:
            shares = [self.recipe.train.ema ** (steps - 1 - step) for step in range(steps)]
        if last := self.recipe.evaluation.average_last:
            shares = [float(step >= steps - round(last * steps)) for step in range(steps)]
        pairs = zip(shares, self.history, strict=True)
        mean = sum((share * each.double() for share, each in pairs), torch.tensor(0.0)) / sum(
            shares
        )
        vector_to_parameters(mean.float(), self.model.parameters())

    def _length(self, step: int) -> int:
        """Tokens per sequence: doubled in equal stages, Li et al. 2022."""
        train, whole = self.recipe.train, self.recipe.model.context
        if train.first_context is None:
            return whole
        lengths = [train.first_context]
        while lengths[-1] < whole:
            lengths.append(2 * lengths[-1])
        stage = step / round(train.context_warmup * self.recipe.steps) * (len(lengths) - 1)
        return lengths[min(int(stage), len(lengths) - 1)]

    def step(self, step: int) -> float:
        """Take one step; the loss before it."""
        inputs, targets = self.batches.read(step)
        inputs, targets = (each.view(-1, self._length(step)) for each in (inputs, targets))
        self.masks.stream.seek(step, first_sequence=0)
        self.model.zero_grad()
        losses = self._losses(inputs, targets)
        sum((loss + zs for loss, zs in losses), balancing_loss(self.model)).backward()
        largest = self.recipe.optimizer.clip_norm
        nn.utils.clip_grad_norm_(self.model.parameters(), largest or math.inf)
        self.update(rate_factor(self.recipe, step))
        self.history.append(parameters_to_vector(self.model.parameters()).detach().clone())
        return float(losses[0][0].detach())

    def _losses(self, inputs: Tensor, targets: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The cross-entropy and z-loss of each head, as a mean over all positions of the batch."""
        found = []
        for ahead, logits in enumerate(self.model.of_each_head(inputs, self.masks)):
            share = logits.shape[1] / targets.shape[1]
            loss = mean_cross_entropy(logits, targets[:, ahead:])
            found.append((share * loss, share * self.recipe.train.z_loss * z_loss(logits)))
        return found


def z_loss(logits: Tensor) -> Tensor:
    """Chowdhery et al. 2022, "PaLM", section 5: the mean of log(Z)^2."""
    return torch.logsumexp(logits, -1).square().mean()


def rate_factor(recipe: Recipe, step: int) -> float:
    """The learning rate of a step as a factor of its peak."""
    shape, steps = recipe.schedule, recipe.steps
    warmup = round(shape.warmup * steps)
    if step < warmup:
        return shape.warmup_factor + (1 - shape.warmup_factor) * step / warmup
    after = (step - warmup) / (steps - warmup)
    falling = round(shape.cooldown * steps)
    cooled = max(0, step - (steps - falling)) / falling if falling else 0.0
    height = {
        "constant": 1.0,
        "cosine": 0.5 + 0.5 * math.cos(math.pi * after),
        "linear": 1 - after,
        "wsd": 1 - (cooled if shape.cooldown_shape == "linear" else math.sqrt(cooled)),
    }[shape.kind]
    return shape.final_factor + (1 - shape.final_factor) * height
