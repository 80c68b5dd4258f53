"""A fine-tune in memory: the model, its optimizer, and the weights to return to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.dropout import DropoutStream, use_dropout
from model.gpt import GPT
from trainer.instructions.encoding import IGNORED, Encoded, batch_of
from trainer.instructions.settings import InstructionSettings
from trainer.recipe import Seeds
from trainer.training.permutation import permute
from trainer.weights.pretrained import Pretrained
from trainer.weights.weights import load_weights


class Tuning:
    """Takes the steps of a fine-tune. A step depends only on the weights and the step's number."""

    def __init__(
        self, source: Pretrained, settings: InstructionSettings, seeds: Seeds, device: torch.device
    ) -> None:
        """Load the weights of a run. Raises WeightsError if they cannot be read."""
        config = source.config.model_copy(update={"dropout": settings.dropout})
        self.model = GPT(config, source.rows)
        load_weights(self.model, source)
        self.model.to(device)
        self._settings, self._seeds, self._device = settings, seeds, device
        self._dropout = DropoutStream(seeds.dropout)
        self._dropout.to(device)
        use_dropout(self.model, self._dropout)
        self._parameters = dict(self.model.named_parameters())  # a tied one once
        self._optimizer = torch.optim.AdamW(
            self._parameters.values(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self._kept = self._copy()

    def step(self, step: int, items: Sequence[Encoded], end_of_text: int) -> tuple[float, int]:
        """Take optimizer step `step`; returns the loss before it, nats per token, and its targets."""
        chosen = [items[i] for i in self.batch(step, len(items))]
        self.model.train()
        self._dropout.seek(step, 0)
        self._optimizer.zero_grad()
        total, targets = self._loss(chosen, end_of_text)
        loss = total / max(1, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return float(loss.detach()), targets

    def batch(self, step: int, items: int) -> list[int]:
        """The numbers of the items in the batch of a step: a permutation of all in each epoch."""
        per_epoch = steps_per_epoch(items, self._settings)
        epoch, within = divmod(step, per_epoch)
        first = within * self._settings.batch_size
        slots = np.arange(first, min(first + self._settings.batch_size, items), dtype=np.uint64)
        key = f"instructions/{self._seeds.order}/{epoch}"
        return [int(item) for item in permute(slots, items, key)]

    @torch.no_grad()
    def loss(self, items: Sequence[Encoded], end_of_text: int) -> float:
        """The mean loss over all targets of some items, in nats per token, without dropout."""
        self.model.eval()
        total, targets, size = 0.0, 0, self._settings.batch_size
        for first in range(0, len(items), size):
            part, count = self._loss(items[first : first + size], end_of_text)
            total, targets = total + float(part), targets + count
        return total / max(1, targets)

    def _loss(self, items: Sequence[Encoded], end_of_text: int) -> tuple[Tensor, int]:
        """The summed loss of some items, and how many targets they have."""
        both = torch.from_numpy(batch_of(items, end_of_text, self._settings.loss_on))
        inputs, targets = both.to(self._device)
        logits = self.model(inputs).flatten(0, 1).float()
        summed = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="sum")
        return summed, int((both[1] != IGNORED).sum())

    def keep(self) -> None:
        """Keep the present weights, for `go_back`."""
        self._kept = self._copy()

    def go_back(self) -> None:
        """Return to the weights that were kept last."""
        self._load(self._kept)

    def state(self) -> dict[str, Tensor]:
        """All tensors that a checkpoint needs."""
        tensors = {f"weights.{name}": p.detach() for name, p in self._parameters.items()}
        tensors |= {f"kept.{name}": tensor for name, tensor in self._kept.items()}
        for name, parameter in self._parameters.items():
            for key, tensor in self._optimizer.state[parameter].items():
                tensors[f"adamw.{key}.{name}"] = tensor
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        self._load(_named(tensors, "weights."))
        self._kept = {n: t.to(self._device) for n, t in _named(tensors, "kept.").items()}
        for name, tensor in _named(tensors, "adamw.").items():
            key, _, parameter = name.partition(".")
            # On the CPU or not: fused AdamW has its step count where the parameter is.
            self._optimizer.state[self._parameters[parameter]][key] = tensor.to(self._device)

    def _copy(self) -> dict[str, Tensor]:
        return {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def _load(self, tensors: Mapping[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            parameter.copy_(tensors[name])


def steps_per_epoch(items: int, settings: InstructionSettings) -> int:
    """Optimizer steps of a pass over some items."""
    return -(-items // settings.batch_size)


def _named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
