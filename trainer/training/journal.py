"""What a run tells about itself while it goes on, and when it has gone wrong."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from dataclasses import asdict, dataclass, field
from typing import IO, Any, NamedTuple

import torch
from torch import Tensor

from trainer.recipe import Recipe, vocabulary_size
from trainer.rundir.directory import Event
from trainer.training.schedule import learning_rate

log = logging.getLogger(__name__)

MAX_SKIPPED_IN_A_ROW = 50
"""Skipped steps in a row after which a run has diverged: a gradient scaler, which halves its scale
at each, has found the right one long before."""
LOG_SECONDS = 10.0
"""Between two lines that tell how far a run is."""


class Step(NamedTuple):
    """What one optimiser step did; scalars, on the device until somebody asks."""

    loss: Tensor
    """Before the step, in nats per token."""
    norm: Tensor
    """Of the gradient before clipping."""
    clipped: Tensor
    """1 when the gradient was clipped."""
    skipped: Tensor
    """1 when the gradient was not finite, so that nothing was changed."""


class DivergedError(Exception):
    """The loss left the realm of the finite, or rose above that of a guess and stayed there."""

    def __init__(self, step: int, cause: str) -> None:
        super().__init__(cause)
        self.step = step
        self.cause = cause


@dataclass
class Progress:
    """How far a run is; goes into its checkpoints."""

    steps: int = 0
    """Taken so far."""
    seconds: float = 0.0
    """Spent on them."""
    last_loss: float | None = None
    """The last finite training loss."""
    skipped: int = 0
    """Steps whose gradient was not finite."""
    high: int = 0
    """The latest steps in a row with a loss above the ceiling."""
    stuck: int = 0
    """The latest steps in a row that were skipped."""
    micro_batch: int | None = None
    started: float = 0.0
    """Unix time."""
    first_step: float = 0.0
    """Unix time."""
    notes: list[str] = field(default_factory=list)
    """What a person should know of how the run went, in sentences."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def ceiling(recipe: Recipe) -> float:
    """A nat above the loss of a uniform guess: no run that learns stays there."""
    return math.log(vocabulary_size(recipe.data.tokenizer)) + 1


def patience(recipe: Recipe) -> int:
    """Steps in a row above the ceiling after which a run has diverged."""
    return max(10, min(100, recipe.steps // 20))


class Journal:
    """Averages losses over stretches of steps, and writes a line for each.

    Losses stay on the device until then: fetching one makes the host wait for the device.
    """

    def __init__(self, recipe: Recipe, file: IO[str] | None, progress: Progress) -> None:
        self.stretch = recipe.steps_per_point
        self._recipe = recipe
        self._file = file
        self._progress = progress
        self._pending: list[Step] = []
        self._since = time.perf_counter()
        self._told = -math.inf

    def record(self, step: Step) -> None:
        """Take in the next step.

        Raises DivergedError when the stretch that it completes shows that the run has diverged.
        """
        self._pending.append(step)
        self._progress.steps += 1
        taken = self._progress.steps
        if taken % self.stretch == 0 or taken == self._recipe.steps:
            self.flush()

    def flush(self) -> None:
        """Write a line about the steps since the last one. Raises DivergedError."""
        if not self._pending:
            return
        columns = torch.stack([torch.stack(step) for step in self._pending]).T.double().tolist()
        losses, norms, clipped, skipped = columns
        self._pending.clear()
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        self._progress.seconds += seconds
        tokens = len(losses) * self._recipe.tokens_per_step
        taken = self._progress.steps
        self._write(
            Event(
                step=taken,
                loss=_finite(sum(losses) / len(losses)),
                learning_rate=learning_rate(self._recipe, taken - 1),
                grad_norm=_finite(sum(norms) / len(norms)),
                clipped=sum(clipped) / len(clipped),
                skipped=int(sum(skipped)),
                tokens_per_second=tokens / max(seconds, 1e-9),
            )
        )
        for step, row in enumerate(zip(losses, skipped, strict=True), taken - len(losses)):
            self._judge(step, *row)

    def rest(self) -> None:
        """Leave out the time since the last line: it went into something else than steps."""
        self._since = time.perf_counter()

    def _write(self, event: Event) -> None:
        if self._file is None:
            return
        # On a full disk the file keeps the line until there is room; a curve is not worth a run.
        with contextlib.suppress(OSError):
            self._file.write(event.model_dump_json() + "\n")
            self._file.flush()
        if event.step == self._recipe.steps or self._since >= self._told + LOG_SECONDS:
            self._told = self._since
            log.info(_progress(event, self._recipe.steps))

    def _judge(self, step: int, loss: float, skipped: float) -> None:
        """Whether the run has diverged by `step`."""
        if not math.isfinite(loss):
            raise DivergedError(step, "the training loss is not finite")
        progress, limit = self._progress, ceiling(self._recipe)
        progress.last_loss = loss
        progress.skipped += int(skipped)
        progress.stuck = progress.stuck + 1 if skipped else 0
        warm = step >= self._recipe.warmup_steps
        progress.high = progress.high + 1 if warm and loss > limit else 0
        last = patience(self._recipe)
        if progress.high >= last:
            raise DivergedError(
                step,
                f"the training loss has been above ln(vocabulary) + 1 = {limit:.4g} for "
                f"{progress.high} steps",
            )
        if progress.stuck >= MAX_SKIPPED_IN_A_ROW:
            raise DivergedError(
                step, f"the gradient has not been finite for {progress.stuck} steps"
            )


def _progress(event: Event, steps: int) -> str:
    loss = "not finite" if event.loss is None else f"{event.loss:.4f}"
    speed = f"{event.tokens_per_second:,.0f} tokens/s"
    return f"step {event.step:,} of {steps:,}, loss {loss}, {speed}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
