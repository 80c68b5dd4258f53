"""A mixture of experts in place of the feed-forward network (Shazeer et al. 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.activation_kernels import ACTIVATION_KERNELS
from model.config import ModelConfig
from model.expert_layers import ExpertLayers, permuted
from model.feed_forward import ACTIVATIONS
from model.linear import Linear, is_plain


class ExpertMatrices(nn.Module):
    """One matrix of each expert: weight (expert, outputs, inputs)."""

    def __init__(self, config: ModelConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.experts or 0, outputs, inputs))


class Experts(nn.Module):
    """Each token is sent to the experts with the highest scores; no token is dropped.

    Their outputs are added with the softmax of these scores as factors (Jiang et al. 2024,
    "Mixtral", section 2.1). The hidden layer of an expert is narrower than that of the dense network by
    the number of active experts (Dai et al. 2024, "DeepSeekMoE", section 3.1), so that a token takes
    as many operations as there. On a GPU, the host waits for the number of tokens of each expert.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, hidden = config.width, config.hidden_channels
        self.active = config.active_experts
        self.activation = ACTIVATIONS[config.activation]
        self.kernels = ACTIVATION_KERNELS.get(config.activation)
        self.router = Linear(width, config.experts or 0, bias=False)
        self.gate = ExpertMatrices(config, width, hidden) if config.activation == "swiglu" else None
        self.expand = ExpertMatrices(config, width, hidden)
        self.projection = ExpertMatrices(config, hidden, width)
        self._imbalance: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(sequence, position, width) to the same."""
        scores = self._scores(x)
        best, chosen = scores.topk(self.active, -1)
        if self.training:
            self._imbalance = imbalance(scores, chosen)
        rows = x[..., None, :].expand(*chosen.shape, -1).flatten(0, -2)
        # Permutations, unlike sums into shared rows, have the same bits each time on every device.
        order = chosen.flatten().argsort(stable=True)
        inverse = order.argsort()
        outputs = permuted(self._outputs(permuted(rows, order, inverse), chosen), inverse, order)
        shares = best.softmax(-1).to(outputs.dtype)
        return (outputs.view(*chosen.shape, -1) * shares[..., None]).sum(-2)

    def take_imbalance(self) -> Tensor:
        """The imbalance of the last forward pass, summed over its sequences, and forget it."""
        assert self._imbalance is not None  # noqa: S101  (training computes it)
        found, self._imbalance = self._imbalance, None
        return found

    def _scores(self, x: Tensor) -> Tensor:
        """Scores of the experts (sequence, position, expert), in float32 at least.

        Rounding to bfloat16 would make ties (Fedus et al. 2021, "Switch Transformers", section 2.4).
        """
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.to(self.router.weight.dtype), self.router.weight)

    def _outputs(self, rows: Tensor, chosen: Tensor) -> Tensor:
        """Outputs for rows (row, width) that are ordered by expert."""
        counts = torch.bincount(chosen.flatten(), minlength=self.router.out_features).tolist()
        if self.gate is None and self.kernels is not None and is_plain(rows):
            matrices = (self.expand.weight, self.projection.weight)
            return ExpertLayers.apply(self.kernels, counts, rows, *matrices)  # type: ignore[no-any-return, no-untyped-call]
        parts = rows.split_with_sizes(counts)
        # Unbinding gives all matrices their gradient in one piece, where indexing adds one of zeros each.
        expand, projection = self.expand.weight.unbind(), self.projection.weight.unbind()
        gates = self.gate.weight.unbind() if self.gate is not None else [None] * len(parts)
        outputs = []
        for part, gate, into, out in zip(parts, gates, expand, projection, strict=True):
            hidden = F.linear(part, into)
            hidden = self.activation(hidden) if gate is None else self._gated(part, gate, hidden)
            outputs.append(F.linear(hidden, out))
        return torch.cat(outputs)

    def _gated(self, part: Tensor, gate: Tensor, hidden: Tensor) -> Tensor:
        return self.activation(F.linear(part, gate)) * hidden


def imbalance(scores: Tensor, chosen: Tensor) -> Tensor:
    """The balancing loss before its factor, summed over sequences: 1 for each with equal shares.

    Of a sequence, as in DeepSeek-V3 (2024, equations 17 to 20), with softmax for the affinities: the
    sum over experts of f P, where f is the expert's part of the choices times the number of experts,
    and P its mean probability. A loss of the whole batch would depend on the micro-batch. Scores
    (sequence, position, expert), chosen (sequence, position, choice).
    """
    experts = scores.shape[-1]
    picked = F.one_hot(chosen, experts).to(scores.dtype).mean((1, 2)) * experts
    return (picked * scores.softmax(-1).mean(1)).sum()


class WithGradientOf(torch.autograd.Function):
    """The first of two scalars, with the gradient of their sum: what is reported stays the first."""

    @staticmethod
    def forward(_ctx: Any, reported: Tensor, _added: Tensor) -> Tensor:  # noqa: ANN401  (torch's context)
        return reported.clone()

    @staticmethod
    def backward(_ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        return grad, grad
