"""One step of the optimiser, with clipping; a gradient that is not finite changes nothing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from trainer.recipe_sections import OptimizerConfig
from trainer.training.methods import METHODS, SKIPS_ON_DEVICE, relative_rate, vectors_of
from trainer.training.parameters import FlatParameters

FIRST_SCALE = 65_536.0
"""Initial loss scale when gradients are in float16; as in torch's GradScaler."""
GROWTH_INTERVAL = 2_000
"""Steps without an overflow after which the scale is doubled; an overflow halves it."""


class StepReport(NamedTuple):
    """Results of an optimiser step: scalars on the device."""

    norm: Tensor
    """Norm of the gradient before clipping."""
    clipped: Tensor
    """1 if the gradient was clipped, else 0."""
    skipped: Tensor
    """1 if the step changed nothing because the gradient was not finite, else 0."""


class Optimizer:
    """The optimiser of a run: clipping, an update of all parameters, weight decay.

    With the methods in `SKIPS_ON_DEVICE` it never makes the host wait for the device; with the others
    the host waits once a step, to see if the gradient is finite.
    """

    def __init__(
        self, parameters: FlatParameters, config: OptimizerConfig, *, scaled: bool = False
    ) -> None:
        self._parameters = parameters
        self._config = config
        self._optimizers = METHODS[config.kind](parameters, config)
        self._waits = not all(isinstance(each, SKIPS_ON_DEVICE) for each in self._optimizers)
        device = parameters.values.device
        self.scale = torch.tensor(FIRST_SCALE if scaled else 1.0, device=device)
        """Factor for the loss before its gradient is computed."""
        self.learning_rate = config.learning_rate
        """Learning rate of the latest step."""
        self._scaled = scaled
        self._growth = torch.zeros((), dtype=torch.int32, device=device)

    def step(self, learning_rate: float) -> StepReport:
        """Update the parameters, unless a gradient is not finite."""
        gradients = self._parameters.gradients
        if self._scaled:
            gradients.mul_(1 / self.scale)
        norm = self._parameters.gradient_norm()
        skipped = torch.isfinite(norm).logical_not().float()
        clipped = self._clip(norm)
        self.learning_rate = learning_rate
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * group["rate"]
        if not (self._waits and skipped):
            self._update(skipped)
        if self._scaled:
            torch._amp_update_scale_(self.scale, self._growth, skipped, 2.0, 0.5, GROWTH_INTERVAL)
        return StepReport(norm, clipped, skipped)

    def _update(self, skipped: Tensor) -> None:
        before = self._parameters.values.clone() if self._config.cautious_decay else None
        for optimizer in self._optimizers:
            if isinstance(optimizer, SKIPS_ON_DEVICE):  # they change nothing if this is 1
                optimizer.found_inf = skipped  # type: ignore[union-attr]
            optimizer.step()
        if before is not None:
            self._decay_cautiously(before, 1 - skipped)

    def _decay_cautiously(self, before: Tensor, kept: Tensor) -> None:
        """Decay numbers whose update did not point away from zero (Chen et al. 2025, algorithm 1).

        The update is read off the parameters: where it is lost in rounding, it counts as zero.
        """
        for group in self._parameters.groups:
            if group.decays:
                old, new = before[group.place], self._parameters.values[group.place]
                rate = self.learning_rate * relative_rate(self._config, group.kind)
                aligned = (old - new).mul_(old) >= 0
                new.sub_(old.mul_(aligned).mul_(kept * (rate * self._config.weight_decay)))

    def _clip(self, norm: Tensor) -> Tensor:
        """Clip the gradient like torch's clip_grad_norm_; returns 1 if it was clipped, else 0."""
        if self._config.clip_norm is None:
            return torch.zeros_like(norm)
        factor = self._config.clip_norm / (norm + 1e-6)
        self._parameters.gradients.mul_(factor.clamp(max=1.0))
        return (factor < 1).float()

    def state(self) -> dict[str, Tensor]:
        """All state that the next step needs, except parameters and gradients."""
        tensors = {"scale": self.scale, "growth": self._growth}
        for index, (optimizer, vector) in enumerate(self._vectors()):
            for name, tensor in optimizer.state[vector].items():
                tensors[f"{index}.{name}"] = tensor
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        device = self.scale.device
        self.scale.copy_(tensors["scale"])
        self._growth.copy_(tensors["growth"])
        for index, (optimizer, vector) in enumerate(self._vectors()):
            names = [name for name in tensors if name.startswith(f"{index}.")]
            optimizer.state[vector] = {
                name.partition(".")[2]: tensors[name].to(device) for name in names
            }

    def _vectors(self) -> list[tuple[torch.optim.Optimizer, Tensor]]:
        """Every tensor that is updated, with its optimiser."""
        return [(each, vector) for each in self._optimizers for vector in vectors_of(each)]
