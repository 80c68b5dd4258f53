"""AdamW, with the weight decay where the recipe wants it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from trainer.recipe import OptimizerConfig


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """A fused AdamW over the parameters of `model`; the loop sets the learning rate."""
    parameters = list(model.parameters())
    if config.decay == "all":
        groups: list[dict[str, Any]] = [{"params": parameters}]
    else:
        groups = [
            {"params": [p for p in parameters if p.dim() >= 2]},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ]
    return torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        fused=True,
    )


def clip_gradients(model: nn.Module, largest: float | None) -> Tensor:
    """Scale the gradient down to the norm `largest`, if there is one; the norm before, a scalar."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if largest is not None:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), largest, norm)
    return norm
