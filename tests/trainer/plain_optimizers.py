"""Optimisers as their papers write them, or as torch has them, one parameter after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from trainer.recipe_sections import OptimizerConfig

Update = Callable[[float], None]
"""Takes a step with a factor of the peak learning rate."""


def make_update(model: nn.Module, config: OptimizerConfig) -> Update:
    """The update of all parameters of a plain model."""
    updates = [_update_of(name, p, config) for name, p in model.named_parameters()]

    def step(factor: float) -> None:
        for update in updates:
            update(factor)

    return step


def peak(name: str, parameter: Tensor, config: OptimizerConfig) -> float:
    own = config.scalar_learning_rate
    if "embedding" in name:
        own = config.embedding_learning_rate
    elif name == "head.weight":
        own = config.head_learning_rate
    elif parameter.dim() > 1:
        own = None
    return own or config.learning_rate


def _update_of(name: str, parameter: nn.Parameter, config: OptimizerConfig) -> Update:
    rate = peak(name, parameter, config)
    decay = config.weight_decay if config.decay == "all" or parameter.dim() > 1 else 0.0
    is_hidden = parameter.dim() > 1 and name.startswith("blocks.")
    kind = "adamw" if config.kind == "muon" and not is_hidden else config.kind
    torchs = torch.optim.Adafactor([parameter], weight_decay=decay)
    direct = None if kind == "adafactor" else _BY_HAND[kind](parameter, config)

    def step(factor: float) -> None:
        if direct is None:
            torchs.param_groups[0]["lr"] = rate * factor
            torchs.step()
            return
        with torch.no_grad():
            update = direct()
            decays = update * parameter >= 0 if config.cautious_decay else torch.tensor(1.0)
            parameter.sub_(rate * factor * (update + decay * decays * parameter))

    return step


def _adamw(parameter: nn.Parameter, config: OptimizerConfig) -> Callable[[], Tensor]:
    """Loshchilov and Hutter 2019, algorithm 2, without the learning rate."""
    mean, square = torch.zeros_like(parameter), torch.zeros_like(parameter)
    steps = 0

    def update() -> Tensor:
        nonlocal steps
        steps += 1
        gradient = _gradient(parameter)
        mean.copy_(config.beta1 * mean + (1 - config.beta1) * gradient)
        square.copy_(config.beta2 * square + (1 - config.beta2) * gradient**2)
        corrected = square / (1 - config.beta2**steps)
        return mean / (1 - config.beta1**steps) / (corrected.sqrt() + config.epsilon)

    return update


def _lion(parameter: nn.Parameter, config: OptimizerConfig) -> Callable[[], Tensor]:
    """Chen et al. 2023, algorithm 2."""
    mean = torch.zeros_like(parameter)

    def update() -> Tensor:
        gradient = _gradient(parameter)
        direction = torch.sign(config.beta1 * mean + (1 - config.beta1) * gradient)
        mean.copy_(config.beta2 * mean + (1 - config.beta2) * gradient)
        return direction

    return update


def _sgd(parameter: nn.Parameter, config: OptimizerConfig) -> Callable[[], Tensor]:
    """Sutskever et al. 2013, equations 1 and 2, with the rate outside of the momentum."""
    velocity = torch.zeros_like(parameter)

    def update() -> Tensor:
        velocity.copy_(config.momentum * velocity + _gradient(parameter))
        return velocity

    return update


def _muon(parameter: nn.Parameter, config: OptimizerConfig) -> Callable[[], Tensor]:
    """Jordan et al. 2024, "Definition" and "Implementation"; the factors of torch.optim.Muon."""
    mean = torch.zeros_like(parameter)
    rows, columns = parameter.shape
    scale = math.sqrt(max(1, rows / columns))
    if config.muon_scale == "match_rms_adamw":
        scale = 0.2 * math.sqrt(max(rows, columns))

    def update() -> Tensor:
        gradient = _gradient(parameter)
        mean.copy_(config.momentum * mean + (1 - config.momentum) * gradient)
        x = config.momentum * mean + (1 - config.momentum) * gradient
        x = x / x.norm()
        for _ in range(5):
            square = x @ x.T
            x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
        return scale * x

    return update


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


_BY_HAND: Mapping[str, Callable[[nn.Parameter, OptimizerConfig], Callable[[], Tensor]]] = {
    "adamw": _adamw,
    "lion": _lion,
    "muon": _muon,
    "sgd": _sgd,
}
