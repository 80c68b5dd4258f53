"""The training loop, from the first step or the last checkpoint to the test loss."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import torch

from trainer.corpora.corpus import Corpus
from trainer.errors import CheckpointError
from trainer.recipe import Recipe
from trainer.rundir.directory import Result
from trainer.training.checkpoint import Checkpoint, Checkpoints
from trainer.training.evaluate import evaluate
from trainer.training.journal import DivergedError, Journal, Progress, ceiling
from trainer.training.provenance import circumstances, provenance
from trainer.training.trainer import Trainer
from trainer.training.world import Place
from trainer.weights.pretrained import Pretrained

CHECKPOINT_TIME_RATIO = 200
"""Minimum time until the next checkpoint, as a multiple of the time that the last one took to
write: less than 1% of the time is spent on checkpoints."""


class RunStoppedError(Exception):
    """The run stopped between two steps, because it was asked to."""


@dataclass
class CheckpointWriter:
    """Writes checkpoints when they are due."""

    checkpoints: Checkpoints | None
    interval: float
    """Seconds between two checkpoints; 0 for a checkpoint after each step."""
    _due: float = field(init=False)
    _failed: bool = field(init=False, default=False)
    """True if the last checkpoint could not be written."""

    def __post_init__(self) -> None:
        self._due = time.monotonic() + self.interval

    @property
    def is_due(self) -> bool:
        """True if it is time for a checkpoint."""
        return self.checkpoints is not None and time.monotonic() >= self._due

    def save(self, trainer: Trainer) -> None:
        """Write a checkpoint. If that fails, warn; training continues."""
        if self.checkpoints is None:
            return
        began = time.monotonic()
        trainer.progress.micro_batch = trainer.micro_batch
        progress = trainer.progress
        try:
            self.checkpoints.save(Checkpoint(progress.steps, trainer.state(), progress.to_json()))
            self._failed = False
        except CheckpointError as error:
            if not self._failed:  # warn once, not at each checkpoint until there is space
                progress.notes.append(str(error))
                print(error, file=sys.stderr)  # noqa: T201  (the log, since there may never be a result)
            self._failed = True
        took = time.monotonic() - began
        wait = max(self.interval, CHECKPOINT_TIME_RATIO * took) if self.interval else 0.0
        self._due = time.monotonic() + wait


def train(
    recipe: Recipe,
    corpus: Corpus,
    events: IO[str] | None,
    place: Place,
    session: Session | None = None,
) -> Result:
    """Train and evaluate one recipe.

    Once `session.should_stop()` is true, writes a checkpoint and raises RunStoppedError.
    """
    session = session or Session()
    progress = session.progress()
    trainer = Trainer(recipe, corpus, place, progress)
    _load(trainer, session)
    progress.begin_attempt(circumstances(recipe, place, trainer.micro_batch))
    journal = Journal(recipe, events, progress)
    writer = CheckpointWriter(session.checkpoints, place.execution.checkpoint_seconds)
    if progress.steps == 0:
        progress.first_step = time.time()
    try:
        while progress.steps < recipe.steps:
            if place.world.any(session.should_stop()):
                journal.flush()
                raise RunStoppedError  # noqa: TRY301  (evaluation raises it too)
            journal.record(trainer.step(progress.steps))
            # Every rank flushes, since a flush may raise DivergedError and must do so in all ranks.
            if place.world.any(writer.is_due):
                journal.flush()
                writer.save(trainer)
                journal.restart_clock()
        with trainer.final_weights():
            outcome = _outcome(trainer, corpus, session)
            session.keep(trainer)
    except RunStoppedError:
        writer.save(trainer)
        raise
    except DivergedError as diverged:
        outcome = {"state": "diverged", "diverged_at": diverged.step, "cause": diverged.cause}
    return _result(trainer, corpus, session, outcome)


def _load(trainer: Trainer, session: Session) -> None:
    """Load the checkpoint to continue from, or else the initial weights, if there are any."""
    if session.resume is not None:
        trainer.load_state(session.resume.tensors)
        session.resume = None  # frees the memory of its tensors
    elif session.weights is not None:
        trainer.load_initial_weights(session.weights)


@dataclass
class Session:
    """Inputs and callbacks of one attempt at a run."""

    checkpoints: Checkpoints | None = None
    """The folder to write checkpoints to; None to write none."""
    resume: Checkpoint | None = None
    """The checkpoint to continue from; None to start at the first step."""
    weights: Pretrained | None = None
    """Initial weights, used at the first step; None for random ones."""
    should_stop: Callable[[], bool] = lambda: False
    """Called between two steps; training stops when it returns True."""
    keep: Callable[[Trainer], None] = lambda _trainer: None
    """Called after the last step and the evaluation, to save the weights."""
    notes: list[str] = field(default_factory=list)
    """Warnings from before the attempt began."""

    def progress(self) -> Progress:
        """The checkpoint's progress, or that of a new run, with the warnings added."""
        now = time.time()
        progress = Progress(started=now, first_step=now)
        if self.resume is not None:
            progress = Progress(**self.resume.progress)
        progress.notes.extend(self.notes)
        return progress


def _outcome(trainer: Trainer, corpus: Corpus, session: Session) -> dict[str, Any]:
    """Evaluate the model. Raises DivergedError if its test loss is not below `ceiling`."""
    recipe = trainer.recipe

    def check_stop() -> None:
        if trainer.place.world.any(session.should_stop()):
            raise RunStoppedError

    test = evaluate(trainer.model, corpus, recipe, trainer.place, check_stop)
    if not test.nats_per_token < (limit := ceiling(recipe)):
        raise DivergedError(
            recipe.steps,
            f"the test loss {test.nats_per_token:.4g} is not below ln(vocabulary) + 1 = {limit:.4g}",
        )
    return {
        "state": "done",
        "test_loss": test.nats_per_token,
        "bits_per_byte": test.bits_per_byte,
        "chunk_losses": test.chunks,
    }


def _peak_of_gpu(place: Place) -> dict[str, float]:
    """The most memory that tensors had on this process's GPU; on a CPU, the scheduler measures it."""
    if place.device.type != "cuda":
        return {}
    return {"peak_memory_bytes": float(torch.cuda.max_memory_allocated(place.device))}


def _result(trainer: Trainer, corpus: Corpus, session: Session, outcome: dict[str, Any]) -> Result:
    recipe, progress, place = trainer.recipe, trainer.progress, trainer.place
    tokens = recipe.tokens_until(progress.steps)
    return Result(
        **outcome,
        last_loss=progress.last_loss,
        steps=progress.steps,
        tokens=tokens,
        skipped_steps=progress.skipped,
        micro_batch=trainer.micro_batch,
        processes=place.world.size,
        notes=place.world.gather(progress.notes),
        started=progress.started,
        first_step=progress.first_step,
        finished=time.time(),
        tokens_per_second=tokens / max(progress.seconds, 1e-9),
        metrics=_peak_of_gpu(place),
        provenance=provenance(corpus.info, session.weights, progress.attempts),
    )
