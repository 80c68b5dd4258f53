"""The loop of a fine-tune: epochs until the validation loss rises, then an answer to each test item."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from trainer.corpora.tokenizer import Tokenizer
from trainer.errors import CheckpointError
from trainer.instructions.answering import GreedyBatch, batch_size
from trainer.instructions.encoding import Encoded
from trainer.instructions.request import Answer
from trainer.instructions.settings import InstructionSettings
from trainer.instructions.tuning import Tuning, steps_per_epoch
from trainer.rundir.directory import Event
from trainer.training.checkpoint import Checkpoint, Checkpoints
from trainer.training.loop import RunStoppedError

POINTS_PER_EPOCH = 10
"""Points of the loss curve per epoch."""


@dataclass
class Progress:
    """How far a fine-tune is; JSON values only, for checkpoints."""

    step: int = 0
    """Optimizer steps taken."""
    losses: list[float] = field(default_factory=list)
    """The validation loss before the first step and after each epoch, in nats per token."""
    epochs: int = 0
    """Epochs of the weights that are kept."""
    is_tuned: bool = False
    """True once the weights are final."""
    answers: list[dict[str, Any]] = field(default_factory=list)
    """`Answer`s to the test items so far."""
    started: float = field(default_factory=time.time)

    @property
    def has_risen(self) -> bool:
        """True if the last validation loss is above the one before it, or is not a number."""
        return len(self.losses) > 1 and not self.losses[-1] <= self.losses[-2]

    @property
    def place(self) -> int:
        """Grows with each step and each answer: the number of a checkpoint."""
        return self.step + self.is_tuned + len(self.answers)


@dataclass(frozen=True)
class Parts:
    """The items as tokens."""

    train: Sequence[Encoded]
    test: Sequence[Encoded]
    validation: Sequence[Encoded]


@dataclass(frozen=True, kw_only=True)
class FineTune:
    """One attempt at a fine-tune."""

    tuning: Tuning
    settings: InstructionSettings
    tokenizer: Tokenizer
    parts: Parts
    progress: Progress
    checkpoints: Checkpoints
    checkpoint_seconds: float
    should_stop: Callable[[], bool]

    def run(self, events: IO[str]) -> None:
        """Fine-tune and answer. Raises RunStoppedError, after writing a checkpoint, if asked to."""
        due = time.monotonic() + self.checkpoint_seconds
        for _ in self._work(events):
            if self.should_stop():
                self._save()
                raise RunStoppedError
            if time.monotonic() >= due:
                self._save()
                due = time.monotonic() + self.checkpoint_seconds

    def _work(self, events: IO[str]) -> Iterator[None]:
        """Yield before each step and each token of answers."""
        progress = self.progress
        if not progress.losses:
            progress.losses.append(self._validate())
            first = progress.losses[0]
            if math.isfinite(first):
                _write(events, Event(step=0, metrics={"validation_loss": first}))
        while not progress.is_tuned:
            yield
            self._epoch_step(events)
        yield from self._answer_all()

    def _epoch_step(self, events: IO[str]) -> None:
        """Take a step, and validate after the last one of an epoch."""
        progress, settings = self.progress, self.settings
        began, end_of_text = time.monotonic(), self.tokenizer.end_of_text
        loss, targets = self.tuning.step(progress.step, self.parts.train, end_of_text)
        speed = targets / max(time.monotonic() - began, 1e-9)
        progress.step += 1
        per_epoch = steps_per_epoch(len(self.parts.train), settings)
        found: dict[str, float] = {}
        if progress.step % per_epoch == 0:
            progress.losses.append(self._validate())
            found["validation_loss"] = progress.losses[-1]
            self._end_epoch(progress.step // per_epoch)
        if found or progress.step % max(1, per_epoch // POINTS_PER_EPOCH) == 0:
            finite = {name: value for name, value in found.items() if math.isfinite(value)}
            point = Event(
                step=progress.step,
                loss=loss if math.isfinite(loss) else None,
                learning_rate=settings.learning_rate,
                tokens_per_second=speed,
                metrics=finite,
            )
            _write(events, point)

    def _end_epoch(self, epoch: int) -> None:
        """Decide whether the weights are final."""
        progress = self.progress
        if self.settings.stop == "first-rise" and progress.has_risen:
            self.tuning.go_back()
            progress.is_tuned = True
            return
        self.tuning.keep()
        progress.epochs = epoch
        progress.is_tuned = epoch == self.settings.max_epochs

    def _validate(self) -> float:
        return self.tuning.loss(self.parts.validation, self.tokenizer.end_of_text)

    def _answer_all(self) -> Iterator[None]:
        """Answer the test items that have no answer yet, several at a time."""
        model, limit = self.tuning.model.eval(), self.settings.answer_tokens
        answers, prompts = self.progress.answers, [item.prompt for item in self.parts.test]
        size = batch_size(model.config, prompts, limit)
        while len(answers) < len(prompts):
            batch = prompts[len(answers) : len(answers) + size]
            found = GreedyBatch(model, batch, limit, self.tokenizer.end_of_text)
            yield from found.work()
            answers += [self._answer(tokens).model_dump() for tokens in found.written]

    def _answer(self, tokens: Sequence[int]) -> Answer:
        text = self.tokenizer.decode(tokens).decode(errors="replace")
        return Answer(text=text.strip(), ended=len(tokens) < self.settings.answer_tokens)

    def _save(self) -> None:
        """Write a checkpoint. If that fails, say so in the log; the work goes on."""
        progress = self.progress
        try:
            self.checkpoints.save(Checkpoint(progress.place, self.tuning.state(), asdict(progress)))
        except CheckpointError as error:
            print(error, file=sys.stderr)  # noqa: T201  (the log)


def _write(events: IO[str], event: Event) -> None:
    events.write(event.line)
    events.flush()
