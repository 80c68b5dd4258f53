"""The registry of optimisation methods: which of torch's optimisers update which parameters.

A method gets vectors that hold many parameters wherever it works element by element, and the
parameters one by one where it needs their shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn, optim

from trainer.recipe_sections import OptimizerConfig, ParameterKind
from trainer.training.parameters import FlatParameters, ParameterGroup, gradient_of

Groups = list[dict[str, Any]]
"""Groups of parameters as torch's optimisers take them.

`rate` is the group's learning rate as a factor of `optimizer.learning_rate`."""


_ADAMW_STEP = unwrap(optim.AdamW.step)
_SGD_STEP = unwrap(optim.SGD.step)


class TorchOptimizer(optim.Optimizer):
    """torch's base class without its guards for torch.compile, whose import takes over a second.

    The guards wrap functions. Nothing here compiles an optimiser.
    """

    add_param_group = unwrap(optim.Optimizer.add_param_group)


class AdamW(TorchOptimizer, optim.AdamW):
    """torch's AdamW without those guards."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ANN401, ARG002
        """Take a step."""
        _ADAMW_STEP(self)


class Adafactor(TorchOptimizer, optim.Adafactor):
    """torch's Adafactor without those guards."""


class Lion(TorchOptimizer):
    """Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2.

    Changes nothing if `found_inf` is 1, without waiting for the device.
    """

    found_inf: Tensor

    def __init__(self, groups: Groups, betas: tuple[float, float]) -> None:
        super().__init__(groups, {"lr": 0.0, "betas": betas, "weight_decay": 0.0})
        for vector in vectors_of(self):
            self.state[vector]["exp_avg"] = torch.zeros_like(vector)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ANN401, ARG002
        """Move each parameter by its learning rate, in the direction of the interpolated mean."""
        kept = 1 - self.found_inf
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for vector in group["params"]:
                mean = self.state[vector]["exp_avg"]
                gradient = gradient_of(vector).masked_fill_(self.found_inf.bool(), 0)
                direction = mean.lerp(gradient, 1 - beta1).sign_()
                vector.mul_(1 - kept * (group["lr"] * group["weight_decay"]))
                vector.sub_(direction.mul_(kept * group["lr"]))
                mean.lerp_(gradient, kept * (1 - beta2))


class DecoupledSGD(TorchOptimizer, optim.SGD):
    """torch's fused SGD with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 1)."""

    found_inf: Tensor

    def __init__(self, groups: Groups, momentum: float) -> None:
        decays = [{**group, "weight_decay": 0, "decay": group["weight_decay"]} for group in groups]
        super().__init__(decays, lr=0.0, momentum=momentum, fused=True)
        for vector in vectors_of(self) if momentum else ():
            # torch takes an uninitialised buffer for the mean if the first step is skipped.
            self.state[vector]["momentum_buffer"] = torch.zeros_like(vector)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ANN401, ARG002
        """Decay, and take a step of SGD."""
        kept = 1 - self.found_inf
        for group in self.param_groups:
            for vector in group["params"]:
                vector.mul_(1 - kept * (group["lr"] * group["decay"]))
        _SGD_STEP(self)


class Muon(TorchOptimizer):
    """Jordan et al. 2024, "Muon: an optimizer for hidden layers", kellerjordan.github.io/posts/muon.

    torch's Muon computes in bfloat16. There the rounding of a gradient's last bit becomes a difference
    of 1e-4 after five steps, so that neither pairs nor other micro-batches agree; this one computes in
    float32, many matrices of one shape at once. Changes nothing if `found_inf` is 1.
    """

    found_inf: Tensor

    def __init__(self, groups: Groups, momentum: float, scale: str) -> None:
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0})
        self._momentum = momentum
        self._scale = MUON_SCALES[scale]
        for matrix in vectors_of(self):
            self.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ANN401, ARG002
        """Move each matrix along the orthogonal matrix that is nearest to its Nesterov momentum."""
        kept = 1 - self.found_inf
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            for alike in _by_shape(group["params"]):
                moves = orthogonal(torch.stack([self._direction(each, kept) for each in alike]))
                moves.mul_(kept * (rate * self._scale(*alike[0].shape)))
                for matrix, move in zip(alike, moves, strict=True):
                    matrix.mul_(1 - kept * (rate * decay)).sub_(move)

    def _direction(self, matrix: nn.Parameter, kept: Tensor) -> Tensor:
        mean = self.state[matrix]["momentum_buffer"]
        gradient = gradient_of(matrix).masked_fill_(self.found_inf.bool(), 0)
        mean.lerp_(gradient, kept * (1 - self._momentum))
        return gradient.lerp(mean, self._momentum)


def _by_shape(matrices: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    alike: dict[torch.Size, list[nn.Parameter]] = {}
    for matrix in matrices:
        alike.setdefault(matrix.shape, []).append(matrix)
    return list(alike.values())


def orthogonal(matrices: Tensor) -> Tensor:
    """Set the singular values of matrices (n, rows, columns) to about 1, by Newton-Schulz iteration.

    Five steps of Jordan's quintic polynomial; each value is then between 0.7 and 1.2.
    """
    x = matrices.mT if matrices.shape[1] > matrices.shape[2] else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        products = x @ x.mT
        a, b, c = 3.4445, -4.7750, 2.0315
        x = torch.baddbmm(
            x, torch.baddbmm(products, products, products, beta=b, alpha=c), x, beta=a
        )
    return x.mT if matrices.shape[1] > matrices.shape[2] else x


MUON_SCALES: Mapping[str, Callable[[int, int], float]] = {
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}
"""By `optimizer.muon_scale`: the factor of the orthogonal matrix, as in torch's Muon."""


def vectors_of(optimizer: TorchOptimizer) -> list[nn.Parameter]:
    """All tensors that an optimiser updates, in a fixed order."""
    return [vector for group in optimizer.param_groups for vector in group["params"]]


def _adamw(groups: Groups, config: OptimizerConfig) -> AdamW:
    betas = (config.beta1, config.beta2)
    return AdamW(groups, lr=config.learning_rate, betas=betas, eps=config.epsilon, fused=True)


def _whole(parameters: FlatParameters, config: OptimizerConfig) -> Groups:
    """One vector for each group."""
    return [_group(each, config, [parameters.vector(each)]) for each in parameters.groups]


def _group(
    group: ParameterGroup, config: OptimizerConfig, vectors: list[nn.Parameter]
) -> dict[str, Any]:
    decay = 0.0 if config.cautious_decay or not group.decays else config.weight_decay
    rate = relative_rate(config, group.kind)
    return {"params": vectors, "weight_decay": decay, "rate": rate}


def relative_rate(config: OptimizerConfig, kind: ParameterKind) -> float:
    """The learning rate of one kind of parameters as a factor of `optimizer.learning_rate`."""
    return config.learning_rate_of(kind) / config.learning_rate


def adamw(parameters: FlatParameters, config: OptimizerConfig) -> list[TorchOptimizer]:
    """AdamW (Loshchilov and Hutter 2019, "Decoupled weight decay regularization")."""
    return [_adamw(_whole(parameters, config), config)]


def lion(parameters: FlatParameters, config: OptimizerConfig) -> list[TorchOptimizer]:
    """Lion (Chen et al. 2023)."""
    return [Lion(_whole(parameters, config), (config.beta1, config.beta2))]


def sgd(parameters: FlatParameters, config: OptimizerConfig) -> list[TorchOptimizer]:
    """SGD with heavy-ball momentum (Sutskever et al. 2013, without Nesterov's change)."""
    return [DecoupledSGD(_whole(parameters, config), config.momentum)]


def muon(parameters: FlatParameters, config: OptimizerConfig) -> list[TorchOptimizer]:
    """Muon for hidden matrices, AdamW for the rest (Jordan et al. 2024).

    Queries, keys and values are orthogonalised one by one, as the source recommends.
    """
    hidden = [each for each in parameters.groups if each.kind == "matrix"]
    rest = [each for each in parameters.groups if each.kind != "matrix"]
    matrices = [_group(each, config, parameters.matrices(each)) for each in hidden]
    vectors = [_group(each, config, [parameters.vector(each)]) for each in rest]
    return [Muon(matrices, config.momentum, config.muon_scale), _adamw(vectors, config)]


def adafactor(parameters: FlatParameters, config: OptimizerConfig) -> list[TorchOptimizer]:
    """Adafactor (Shazeer and Stern 2018), whose rate is relative to the size of each parameter.

    torch's version: the learning rate is an upper bound of 1 / sqrt(step).
    """
    groups = [_group(each, config, parameters.tensors(each)) for each in parameters.groups]
    return [Adafactor(groups, lr=config.learning_rate, foreach=False)]


METHODS: Mapping[str, Callable[[FlatParameters, OptimizerConfig], list[TorchOptimizer]]] = {
    "adamw": adamw,
    "muon": muon,
    "lion": lion,
    "sgd": sgd,
    "adafactor": adafactor,
}
"""By `optimizer.kind`: makes the optimisers that together update all parameters."""
SKIPS_ON_DEVICE = (AdamW, Muon, Lion, DecoupledSGD)
"""Optimisers that change nothing if their `found_inf` is 1; others must not be called then."""
