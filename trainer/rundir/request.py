"""What the built-in trainer is to train: the content of `recipe.json`. Quick to import: no torch here."""

from __future__ import annotations

from model.config import Config
from trainer.execution import Execution
from trainer.recipe import Recipe


class Request(Config):
    """The content of `recipe.json`."""

    recipe: Recipe
    corpus_hash: str | None = None
    """Hash of the corpus to train on; None to accept the corpus that this machine has."""
    weights_hash: str | None = None
    """Hash of the initial weights; None to accept the weights that this machine has."""
    weights: str | None = None
    """The folder of the initial weights; None for `train.initial_weights` of the recipe."""
    cache: str = "../cache"
    """The folder of token files, relative to the run directory."""
    execution: Execution = Execution()
    """Settings that do not change the result."""
    run_id: str | None = None
    """The scheduler's id of the run; the trainer ignores this field and the next two."""
    family: str | None = None
    """The id that all runs of an arm share: they differ only in their seeds (`Recipe.family`)."""
    repeat_of: str | None = None
    """The `run_id` of the run that this one repeats exactly."""
