"""AdamW on all parameters at once, with clipping; skips steps without waiting for the device."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainer.recipe_sections import OptimizerConfig
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
    """A fused AdamW (Loshchilov and Hutter 2019) that never makes the host wait."""

    def __init__(
        self, parameters: FlatParameters, config: OptimizerConfig, *, scaled: bool = False
    ) -> None:
        self._parameters = parameters
        self._clip_norm = config.clip_norm
        split = parameters.decaying
        halves = [
            (slice(0, split), config.weight_decay),
            (slice(split, None), config.weight_decay if config.decay == "all" else 0.0),
        ]
        groups = [
            {"params": [self._vector(place)], "weight_decay": decay} for place, decay in halves
        ]
        self._adamw = torch.optim.AdamW(
            [group for group in groups if group["params"][0].numel()],  # type: ignore[index]
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            eps=config.epsilon,
            fused=True,
        )
        device = parameters.values.device
        self.scale = torch.tensor(FIRST_SCALE if scaled else 1.0, device=device)
        """Factor for the loss before its gradient is computed."""
        self.learning_rate = config.learning_rate
        """Learning rate of the latest step."""
        self._scaled = scaled
        self._growth = torch.zeros((), dtype=torch.int32, device=device)

    def _vector(self, place: slice) -> nn.Parameter:
        vector = nn.Parameter(self._parameters.values[place])
        vector.grad = self._parameters.gradients[place]
        return vector

    def step(self, learning_rate: float) -> StepReport:
        """Update the parameters, unless a gradient is not finite."""
        gradients = self._parameters.gradients
        if self._scaled:
            gradients.mul_(1 / self.scale)
        norm = self._parameters.gradient_norm()
        skipped = torch.isfinite(norm).logical_not().float()
        clipped = self._clip(norm)
        self.learning_rate = learning_rate
        for group in self._adamw.param_groups:
            group["lr"] = learning_rate
        # torch's fused optimisers change nothing if this is 1.
        self._adamw.found_inf = skipped  # type: ignore[attr-defined]
        self._adamw.step()
        if self._scaled:
            torch._amp_update_scale_(self.scale, self._growth, skipped, 2.0, 0.5, GROWTH_INTERVAL)
        return StepReport(norm, clipped, skipped)

    def _clip(self, norm: Tensor) -> Tensor:
        """Clip the gradient like torch's clip_grad_norm_; returns 1 if it was clipped, else 0."""
        if self._clip_norm is None:
            return torch.zeros_like(norm)
        factor = self._clip_norm / (norm + 1e-6)
        self._parameters.gradients.mul_(factor.clamp(max=1.0))
        return (factor < 1).float()

    def state(self) -> dict[str, Tensor]:
        """All state that the next step needs, except parameters and gradients."""
        tensors = {"scale": self.scale, "growth": self._growth}
        for index, vector in enumerate(self._vectors()):
            for name, tensor in self._adamw.state[vector].items():
                tensors[f"{index}.{name}"] = tensor
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        device = self.scale.device
        self.scale.copy_(tensors["scale"])
        self._growth.copy_(tensors["growth"])
        for index, vector in enumerate(self._vectors()):
            names = [name for name in tensors if name.startswith(f"{index}.")]
            self._adamw.state[vector] = {
                name.partition(".")[2]: tensors[name].to(device) for name in names
            }

    def _vectors(self) -> list[nn.Parameter]:
        return [group["params"][0] for group in self._adamw.param_groups]
