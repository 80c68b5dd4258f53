"""A result records what each attempt that trained it trained with."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.corpora.corpus import Corpus
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.rundir.directory import Result
from trainer.training.checkpoint import Checkpoints
from trainer.training.loop import RunStoppedError, Session, train
from trainer.training.world import Place

PLACE = Place(torch.device("cpu"), Execution(micro_batch=8))
OTHER = replace(PLACE, execution=Execution(micro_batch=4))


class Attempts:
    """Attempts at one run, each of which continues from the last checkpoint."""

    def __init__(self, corpus: Corpus, recipe: Recipe, folder: Path) -> None:
        self.corpus, self.recipe = corpus, recipe
        self.checkpoints = Checkpoints(folder, "x")

    def attempt(self, place: Place, steps: int | None = None) -> Result | None:
        """Train some steps, or to the end; None if it stopped before that."""
        taken = iter(range(1000))
        session = Session(
            checkpoints=self.checkpoints,
            resume=self.checkpoints.latest(lambda _: None),
            should_stop=lambda: next(taken) == steps,
        )
        try:
            return train(self.recipe, self.corpus, io.StringIO(), place, session)
        except RunStoppedError:
            return None

    def finish(self, place: Place) -> dict[str, Any]:
        """Train to the end; the provenance of the result."""
        result = self.attempt(place)
        assert result
        return result.provenance


@pytest.fixture
def run(corpus: Corpus, recipe: Recipe, tmp_path: Path) -> Attempts:
    return Attempts(corpus, recipe, tmp_path / "checkpoints")


def test_attempts_in_the_same_circumstances_are_recorded_as_one(run: Attempts) -> None:
    run.attempt(PLACE, 3)
    run.attempt(PLACE, 2)
    assert "earlier_attempts" not in run.finish(PLACE)


def test_attempts_in_other_circumstances_are_recorded_in_order(run: Attempts) -> None:
    run.attempt(PLACE, 3)
    run.attempt(OTHER, 2)
    found = run.finish(PLACE)
    first, second = found["earlier_attempts"]
    sizes = [(each["micro_batch"], each["from_step"]) for each in (first, second, found)]
    assert sizes == [(8, 0), (4, 3), (8, 5)]
    assert first["versions"] == found["versions"]


def test_an_attempt_that_took_no_step_does_not_count(run: Attempts) -> None:
    run.attempt(PLACE, 3)
    run.attempt(OTHER, 0)
    assert "earlier_attempts" not in run.finish(PLACE)


def test_steps_of_an_older_version_are_recorded_as_unknown(run: Attempts) -> None:
    run.attempt(PLACE, 3)
    checkpoint = run.checkpoints.latest(lambda _: None)
    assert checkpoint
    del checkpoint.progress["attempts"]
    run.checkpoints.save(checkpoint)
    assert run.finish(PLACE)["earlier_attempts"] == [{"from_step": 0}]
