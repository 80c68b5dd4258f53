"""A run of the built-in GPT trainer behind the interface of `sweep.trainers.base`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from model.size import flops_per_token, parameter_count
from sweep.errors import StudyError
from sweep.executors.base import Ended
from sweep.study.jobs_section import Jobs
from sweep.trainers.base import Cost, End, RunIdentity, RunSpec
from sweep.trainers.ends import find_result, read_end
from trainer.recipe import Recipe, Seeds, vocabulary_size
from trainer.recipe_forms import to_nested
from trainer.rundir.directory import RunDirectory
from trainer.rundir.request import Request

EVALUATION_COST_RATIO = 1 / 3
"""Cost of evaluating a token relative to training on it: the backward pass costs two thirds."""


class InitialWeights(NamedTuple):
    """Weights that a run starts from."""

    folder: str
    """Absolute path."""
    hash: str


@dataclass(frozen=True)
class GptRun:
    """A recipe to train; see `sweep.trainers.base.RunSpec`."""

    recipe: Recipe
    weights: InitialWeights | None = None
    """Initial weights; None for random ones."""

    @property
    def seeds(self) -> Seeds:
        return self.recipe.seeds

    @property
    def cost(self) -> Cost:
        return expected_cost(self.recipe)

    @property
    def identity(self) -> str:
        fields = json.loads(self.recipe.canonical())
        return json.dumps({k: v for k, v in fields.items() if k != "seeds"}, sort_keys=True)

    def with_seeds(self, seeds: Seeds) -> GptRun:
        return replace(self, recipe=self.recipe.model_copy(update={"seeds": seeds}))

    def idle_streams(self) -> dict[str, str]:
        recipe, idle = self.recipe, {}
        if recipe.model.dropout == 0:
            idle["dropout"] = "model.dropout is 0"
        if recipe.data.order == "sequential" and recipe.data.mixture is None:
            idle["order"] = "data.order is sequential"
        if recipe.train.initial_weights is not None:
            idle["init"] = "train.initial_weights gives the weights"
        return idle

    def parameters(self) -> dict[str, Any]:
        return to_nested(self.recipe)

    def write_request(self, directory: RunDirectory, identity: RunIdentity, settings: Jobs) -> None:
        directory.write_request(
            Request(
                recipe=self.recipe,
                corpus_hash=identity.corpus_hash,
                weights_hash=self.weights and self.weights.hash,
                weights=self.weights and self.weights.folder,
                execution=settings.execution(),
                run_id=identity.run_id,
                family=identity.family,
                repeat_of=identity.repeat_of,
            )
        )

    def find_result(self, directory: RunDirectory) -> End | None:
        return find_result(directory)

    def read_end(self, directory: RunDirectory, ended: Ended) -> End:
        return read_end(directory, ended)


def recipe_of(spec: RunSpec) -> Recipe:
    """The recipe of a run of the built-in trainer. Raises StudyError for another trainer's."""
    if not isinstance(spec, GptRun):
        raise StudyError("this works for runs of the built-in GPT trainer only")
    return spec.recipe


def expected_cost(recipe: Recipe) -> Cost:
    """Return cost and size of training a recipe and evaluating it once."""
    vocabulary = vocabulary_size(recipe.data.tokenizer)
    scored = recipe.evaluation.chunks * recipe.evaluation.chunk_tokens
    return Cost(
        flops=recipe.flops,
        # Of the model that is kept, at its whole context: no further heads, no shorter sequences.
        evaluation_flops=flops_per_token(recipe.model, vocabulary) * EVALUATION_COST_RATIO * scored,
        tokens=recipe.tokens_until(recipe.steps),
        steps=recipe.steps,
        parameters=parameter_count(recipe.model, vocabulary, recipe.train.multi_token),
        curve_points=recipe.steps // recipe.steps_per_point + 1,
        chunks=recipe.evaluation.chunks,
    )
