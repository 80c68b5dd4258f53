"""The loss curve and progress of a run during training, and the detection of divergence."""

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
"""Number of skipped steps in a row after which a run counts as diverged. A gradient scaler halves
its scale at each skipped step, so it would have found a scale that works long before."""
LOG_SECONDS = 10.0
"""Seconds between two progress lines in the log."""


class Step(NamedTuple):
    """Results of one optimiser step: scalars on the device."""

    loss: Tensor
    """Training loss before the step, in nats per token."""
    norm: Tensor
    """Norm of the gradient before clipping."""
    clipped: Tensor
    """1 if the gradient was clipped, else 0."""
    skipped: Tensor
    """1 if the step changed nothing because the gradient was not finite, else 0."""


class DivergedError(Exception):
    """The loss is not finite or stays above `ceiling`, or too many steps in a row were skipped."""

    def __init__(self, step: int, cause: str) -> None:
        super().__init__(cause)
        self.step = step
        self.cause = cause


@dataclass
class Progress:
    """The progress of a run; stored in its checkpoints."""

    steps: int = 0
    """Steps taken so far."""
    seconds: float = 0.0
    """Time spent on these steps."""
    last_loss: float | None = None
    """The last finite training loss."""
    skipped: int = 0
    """Steps whose gradient was not finite."""
    high: int = 0
    """How many of the latest steps in a row had a loss above `ceiling`."""
    stuck: int = 0
    """How many of the latest steps in a row were skipped."""
    micro_batch: int | None = None
    """Sequences per forward pass; None until the first checkpoint."""
    started: float = 0.0
    """Unix time of the start of the first attempt."""
    first_step: float = 0.0
    """Unix time of the first step."""
    notes: list[str] = field(default_factory=list)
    """Warnings about the run, in sentences."""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    """Circumstances of the attempts so far, each unlike the one before; `from_step` is the number of
    steps that were taken before it."""

    def begin_attempt(self, circumstances: dict[str, Any]) -> None:
        """Note what the steps from here on are taken with."""
        if self.steps and not self.attempts:  # an older version took them, and did not note it
            self.attempts.append({"from_step": 0})
        self.attempts = [each for each in self.attempts if each["from_step"] < self.steps]
        last = {k: v for each in self.attempts[-1:] for k, v in each.items() if k != "from_step"}
        if last != circumstances:
            self.attempts.append({**circumstances, "from_step": self.steps})

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


def ceiling(recipe: Recipe) -> float:
    """The loss above which a run is not learning: one nat above that of a uniform guess."""
    return math.log(vocabulary_size(recipe.data.tokenizer)) + 1


def patience(recipe: Recipe) -> int:
    """Number of steps in a row above `ceiling` after which a run counts as diverged."""
    return max(10, min(100, recipe.steps // 20))


class Journal:
    """Averages losses over a few steps at a time, and writes an event for each such stretch.

    Losses stay on the device until a stretch is complete, because reading one makes the host wait
    for the device.
    """

    def __init__(self, recipe: Recipe, file: IO[str] | None, progress: Progress) -> None:
        self.stretch = recipe.steps_per_point
        self._recipe = recipe
        self._file = file
        self._progress = progress
        self._pending: list[Step] = []
        self._since = time.perf_counter()
        self._logged = -math.inf

    def record(self, step: Step) -> None:
        """Record the next step; writes an event if it completes a stretch.

        Raises DivergedError if the stretch shows that the run has diverged.
        """
        self._pending.append(step)
        self._progress.steps += 1
        taken = self._progress.steps
        if taken % self.stretch == 0 or taken == self._recipe.steps:
            self.flush()

    def flush(self) -> None:
        """Write an event about the steps since the last one. Raises DivergedError."""
        if not self._pending:
            return
        columns = torch.stack([torch.stack(step) for step in self._pending]).T.double().tolist()
        losses, norms, clipped, skipped = columns
        self._pending.clear()
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        self._progress.seconds += seconds
        taken = self._progress.steps
        tokens = self._recipe.tokens_until(taken) - self._recipe.tokens_until(taken - len(losses))
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
            self._check_divergence(step, *row)

    def restart_clock(self) -> None:
        """Leave the time since the last event out of the speed: it was not spent on steps."""
        self._since = time.perf_counter()

    def _write(self, event: Event) -> None:
        if self._file is None:
            return
        # On a full disk the line stays in the buffer: the run must not fail because of its curve.
        with contextlib.suppress(OSError):
            self._file.write(event.line)
            self._file.flush()
        if event.step == self._recipe.steps or self._since >= self._logged + LOG_SECONDS:
            self._logged = self._since
            log.info(_progress_line(event, self._recipe.steps))

    def _check_divergence(self, step: int, loss: float, skipped: float) -> None:
        """Raise DivergedError if the run has diverged by `step`."""
        if not math.isfinite(loss):
            raise DivergedError(step, "the training loss is not finite")
        progress, limit = self._progress, ceiling(self._recipe)
        progress.last_loss = loss
        progress.skipped += int(skipped)
        progress.stuck = progress.stuck + 1 if skipped else 0
        is_warm = step >= self._recipe.warmup_steps
        progress.high = progress.high + 1 if is_warm and loss > limit else 0
        if progress.high >= patience(self._recipe):
            raise DivergedError(
                step,
                f"the training loss has been above ln(vocabulary) + 1 = {limit:.4g} for "
                f"{progress.high} steps",
            )
        if progress.stuck >= MAX_SKIPPED_IN_A_ROW:
            raise DivergedError(
                step, f"the gradient has not been finite for {progress.stuck} steps"
            )


def _progress_line(event: Event, steps: int) -> str:
    loss = "not finite" if event.loss is None else f"{event.loss:.4f}"
    speed = f"{event.tokens_per_second:,.0f} tokens/s"
    return f"step {event.step:,} of {steps:,}, loss {loss}, {speed}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
