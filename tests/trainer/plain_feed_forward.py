"""The feed-forward networks of the plain model, and its experts."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from model.config import ModelConfig

ACTIVATIONS = {
    # Hendrycks and Gimpel 2016, section 2: with its tanh, and exactly.
    "gelu": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "gelu_exact": lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
    "relu2": lambda x: torch.where(x > 0, x * x, 0),  # So et al. 2021, "Primer"
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "swiglu": lambda x: x / (1 + torch.exp(-x)),  # Shazeer 2020
}


class FeedForward(nn.Module):
    """Two layers with an activation in between, or with a gate."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        bias, self.activation = config.biases == "all", config.activation
        hidden = 4 * config.width
        if self.activation == "swiglu":
            hidden = 8 * round(config.width / 3)
            self.gate = nn.Linear(config.width, hidden, bias=bias)
        self.expand = nn.Linear(config.width, hidden, bias=bias)
        self.projection = nn.Linear(hidden, config.width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        active = ACTIVATIONS[self.activation]
        expanded = self.expand(x)
        hidden = (
            active(self.gate(x)) * expanded if self.activation == "swiglu" else active(expanded)
        )
        return self.projection(hidden)  # type: ignore[no-any-return]


class Experts(nn.Module):
    """Jiang et al. 2024, section 2.1, one expert after the other, and DeepSeek-V3's balancing loss."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.experts, self.active = config.experts or 0, config.active_experts
        gated = config.activation == "swiglu"
        hidden = (8 * round(width / 3 / self.active)) if gated else 4 * width // self.active
        for name, shape in {
            "router": (self.experts, width),
            "expand": (self.experts, hidden, width),
            "projection": (self.experts, width, hidden),
            **({"gate": (self.experts, hidden, width)} if gated else {}),
        }.items():
            holder = nn.Module()
            holder.weight = nn.Parameter(torch.empty(shape))
            self.add_module(name, holder)

    def forward(self, x: Tensor) -> Tensor:
        scores = x @ self.router.weight.T
        chosen = scores >= scores.sort(-1).values[..., -self.active, None]
        shares = torch.softmax(scores.masked_fill(~chosen, -math.inf), -1)
        mixed = torch.zeros_like(x)
        for expert in range(self.experts):
            rows = chosen[..., expert]
            mixed[rows] += shares[..., expert][rows][:, None] * self.output(expert, x[rows])
        often = chosen.to(x).mean(1) * self.experts / self.active
        self.balance = (often * torch.softmax(scores, -1).mean(1)).sum(1).mean()
        return mixed

    def output(self, expert: int, x: Tensor) -> Tensor:
        active = ACTIVATIONS[self.config.activation]
        hidden = x @ self.expand.weight[expert].T
        if self.config.activation == "swiglu":
            hidden = active(x @ self.gate.weight[expert].T) * hidden
        else:
            hidden = active(hidden)
        return hidden @ self.projection.weight[expert].T
