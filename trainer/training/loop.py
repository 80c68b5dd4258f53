"""A run from its first step, or its last checkpoint, to its test loss: read top to bottom."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from trainer.corpora.corpus import Corpus
from trainer.errors import CheckpointError
from trainer.recipe import Recipe
from trainer.rundir.directory import Result
from trainer.training.checkpoint import Checkpoint, Checkpoints
from trainer.training.evaluate import evaluate
from trainer.training.journal import DivergedError, Journal, Progress, ceiling
from trainer.training.provenance import provenance
from trainer.training.trainer import Trainer
from trainer.training.world import Place
from trainer.weights.pretrained import Pretrained

CHECKPOINT_TIME_RATIO = 200
"""A checkpoint is not followed by another before this many times the time that it took:
well under a hundredth goes into them."""


class RunStoppedError(Exception):
    """The run was asked to stop, and did so between two steps."""


@dataclass
class CheckpointWriter:
    """Writes checkpoints when they are due, and continues from one."""

    checkpoints: Checkpoints | None
    interval: float
    """Seconds; 0 for one after each step."""
    _due: float = field(init=False)
    _refused: bool = field(init=False, default=False)
    """Whether the disk did not take the latest one."""

    def __post_init__(self) -> None:
        self._due = time.monotonic() + self.interval

    @property
    def is_due(self) -> bool:
        """Whether it is time for one."""
        return self.checkpoints is not None and time.monotonic() >= self._due

    def save(self, trainer: Trainer) -> None:
        """Write one now; when the disk does not take it, say so and let training go on."""
        if self.checkpoints is None:
            return
        began = time.monotonic()
        trainer.progress.micro_batch = trainer.micro_batch
        progress = trainer.progress
        try:
            self.checkpoints.save(Checkpoint(progress.steps, trainer.state(), progress.to_json()))
            self._refused = False
        except CheckpointError as error:
            if not self._refused:  # once, and not at each attempt until there is room
                progress.notes.append(str(error))
                print(error, file=sys.stderr)  # noqa: T201  (the log: there may be no result)
            self._refused = True
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

    Raises RunStoppedError between two steps, or two pieces of test text, once the session says so,
    after a checkpoint.
    """
    session = session or Session()
    progress = session.progress()
    trainer = Trainer(recipe, corpus, place, progress)
    if session.resume is not None:
        trainer.load_state(session.resume.tensors)
        session.resume = None  # all of its tensors would stay in memory
    elif session.weights is not None:
        trainer.begin_with(session.weights)
    journal = Journal(recipe, events, progress)
    keeper = CheckpointWriter(session.checkpoints, place.execution.checkpoint_seconds)
    if progress.steps == 0:
        progress.first_step = time.time()
    try:
        while progress.steps < recipe.steps:
            if place.world.any(session.should_stop()):
                journal.flush()
                raise RunStoppedError  # noqa: TRY301  (the checkpoint below is due in evaluation, too)
            journal.record(trainer.step(progress.steps))
            if place.world.any(keeper.is_due):  # all of them: a flush may find that it has diverged
                journal.flush()
                keeper.save(trainer)
                journal.rest()
        outcome = _outcome(trainer, corpus, session)
    except RunStoppedError:
        keeper.save(trainer)
        raise
    except DivergedError as diverged:
        outcome = {"state": "diverged", "diverged_at": diverged.step, "cause": diverged.cause}
    if outcome["state"] == "done":
        session.keep(trainer)
    return _result(trainer, corpus, session, outcome)


@dataclass
class Session:
    """What one attempt at a run begins with and listens to."""

    checkpoints: Checkpoints | None = None
    """Where to write them; None for nowhere."""
    resume: Checkpoint | None = None
    """Where to continue."""
    weights: Pretrained | None = None
    """What a run begins with that does not continue; None for random weights."""
    should_stop: Callable[[], bool] = lambda: False
    keep: Callable[[Trainer], None] = lambda _trainer: None
    """Saves what stays of a finished run."""
    notes: list[str] = field(default_factory=list)
    """What was noticed before the run began."""

    def progress(self) -> Progress:
        """How far the run is."""
        now = time.time()
        progress = Progress(started=now, first_step=now)
        if self.resume is not None:
            progress = Progress(**self.resume.progress)
        progress.notes.extend(self.notes)
        return progress


def _outcome(trainer: Trainer, corpus: Corpus, session: Session) -> dict[str, Any]:
    """The test loss; a run that ends worse than a uniform guess by a nat has diverged."""
    recipe = trainer.recipe

    def between() -> None:
        if trainer.place.world.any(session.should_stop()):
            raise RunStoppedError

    test = evaluate(trainer.model, corpus, recipe, trainer.place, between)
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


def _result(trainer: Trainer, corpus: Corpus, session: Session, outcome: dict[str, Any]) -> Result:
    recipe, progress, place = trainer.recipe, trainer.progress, trainer.place
    tokens = progress.steps * recipe.tokens_per_step
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
        provenance=provenance(recipe, corpus.info, session.weights, place.device),
    )
