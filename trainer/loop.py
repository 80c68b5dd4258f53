"""The training loop: read top to bottom, it is what happens."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import IO, Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.dropout import DropoutStream, use_dropout
from model.gpt import GPT
from model.init import initialise
from trainer.batches import Batches
from trainer.corpus import Corpus
from trainer.evaluate import evaluate
from trainer.optimizer import clip_gradients, make_optimizer
from trainer.provenance import provenance
from trainer.recipe import VOCABULARY, Recipe, learning_rate
from trainer.rundir import Event, Result


class RunStoppedError(Exception):
    """The run was asked to stop, and did so between two steps."""


class DivergedError(Exception):
    """The loss left the realm of the finite, or ended above that of a guess."""

    def __init__(self, step: int, cause: str) -> None:
        super().__init__(cause)
        self.step = step
        self.cause = cause


class Trainer:
    """One run in memory: the model, its optimiser, and the place in its data."""

    def __init__(self, recipe: Recipe, corpus: Corpus, device: torch.device) -> None:
        self.recipe = recipe
        self.device = device
        self.batches = Batches(recipe, corpus.train)
        self.dropout = DropoutStream(recipe.seeds.dropout)
        self.model = GPT(recipe.model, VOCABULARY[recipe.data.tokenizer]).to(device)
        initialise(self.model, recipe.seeds.init)
        use_dropout(self.model, self.dropout)
        self.optimizer = make_optimizer(self.model, recipe.optimizer)

    def step(self, step: int) -> tuple[Tensor, Tensor]:
        """Take one optimiser step; the loss before it and the gradient's norm, both scalars."""
        inputs, targets = self.batches.read(step)
        self.dropout.seek(step, first_sequence=0)
        loss = self._loss(inputs.to(self.device), targets.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = clip_gradients(self.model, self.recipe.optimizer.clip_norm)
        rate = learning_rate(self.recipe, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        return loss.detach(), norm

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with self._autocast():
            logits = self.model(inputs)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.recipe.train.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


class Journal:
    """Averages losses over stretches of steps, and writes a line for each.

    Losses stay on the device until then: fetching one makes the host wait for the device.
    """

    def __init__(self, recipe: Recipe, file: IO[str]) -> None:
        self.stretch = max(1, min(50, recipe.steps // 100))
        self.last_loss: float | None = None
        self._recipe = recipe
        self._file = file
        self._pending: list[tuple[Tensor, Tensor]] = []
        self._since = time.perf_counter()

    def record(self, step: int, loss: Tensor, norm: Tensor) -> None:
        """Take in the loss and gradient norm of `step`.

        Raises DivergedError when a loss of the stretch that it completes is not finite.
        """
        self._pending.append((loss, norm))
        if len(self._pending) == self.stretch or step + 1 == self._recipe.steps:
            self._write_stretch(step + 1)

    def _write_stretch(self, steps: int) -> None:
        losses = torch.stack([loss for loss, _ in self._pending]).tolist()
        norm = float(torch.stack([norm for _, norm in self._pending]).mean())
        now = time.perf_counter()
        event = Event(
            step=steps,
            loss=_finite(sum(losses) / len(losses)),
            learning_rate=learning_rate(self._recipe, steps - 1),
            grad_norm=_finite(norm),
            tokens_per_second=len(losses) * self._recipe.tokens_per_step / (now - self._since),
        )
        self._file.write(event.model_dump_json() + "\n")
        self._file.flush()
        self._since = now
        self._pending.clear()
        for step, loss in enumerate(losses, start=steps - len(losses)):
            if not math.isfinite(loss):
                raise DivergedError(step, "the training loss is not finite")
            self.last_loss = loss


def train(
    recipe: Recipe,
    corpus: Corpus,
    events: IO[str],
    device: torch.device,
    should_stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Train and evaluate one recipe.

    Raises RunStoppedError between two steps once `should_stop` says so.
    """
    started = time.time()
    trainer = Trainer(recipe, corpus, device)
    journal = Journal(recipe, events)
    first_step = time.time()
    taken = 0
    try:
        for step in range(recipe.steps):
            if should_stop():
                raise RunStoppedError
            loss, norm = trainer.step(step)
            taken = step + 1
            journal.record(step, loss, norm)
        trained = time.time()
        outcome = _outcome(trainer, corpus)
    except DivergedError as diverged:
        trained = time.time()
        outcome = {"state": "diverged", "diverged_at": diverged.step, "cause": diverged.cause}
    tokens = taken * recipe.tokens_per_step
    return Result(
        **outcome,
        last_loss=journal.last_loss,
        steps=taken,
        tokens=tokens,
        started=started,
        first_step=first_step,
        finished=time.time(),
        tokens_per_second=tokens / (trained - first_step),
        provenance=provenance(recipe, corpus.info, device),
    )


def _outcome(trainer: Trainer, corpus: Corpus) -> dict[str, Any]:
    """The test loss; a run that ends worse than a uniform guess by a nat has diverged."""
    recipe = trainer.recipe
    test = evaluate(trainer.model, corpus, recipe, trainer.device)
    ceiling = math.log(VOCABULARY[recipe.data.tokenizer]) + 1
    if not test.nats_per_token < ceiling:
        raise DivergedError(
            recipe.steps,
            f"the test loss {test.nats_per_token:.4g} is not below ln(vocabulary) + 1 = {ceiling:.4g}",
        )
    return {
        "state": "done",
        "test_loss": test.nats_per_token,
        "bits_per_byte": test.bits_per_byte,
        "chunk_losses": test.chunks,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
