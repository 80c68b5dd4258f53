"""The built-in GPT trainer behind the interface of `sweep.trainers.base`."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from model.config import parameter_count
from sweep.errors import StudyError
from sweep.executors.base import Ended
from sweep.study.file import Study, apply
from sweep.study.jobs_section import Jobs
from sweep.trainers.base import Cause, Cost, End, RunIdentity, RunSpec, failure_signature
from trainer.errors import RunDirectoryError
from trainer.recipe import Recipe, Seeds, vocabulary_size
from trainer.recipe_forms import to_nested
from trainer.rundir.directory import Request, RunDirectory
from trainer.rundir.exits import Exit

EVALUATION_COST_RATIO = 1 / 3
"""Cost of evaluating a token relative to training on it: the backward pass costs two thirds."""
CAUSES: Mapping[int, Cause] = {
    Exit.REFUSED: Cause.REFUSED,
    Exit.OUT_OF_MEMORY: Cause.OUT_OF_MEMORY,
    Exit.DISK_FULL: Cause.DISK_FULL,
    Exit.TAKEN: Cause.TAKEN,
    Exit.STOPPED: Cause.STOPPED,
}
"""By exit status. Any other status is `Cause.FAILED`."""
RERUN_SUFFIX = "-again"
"""Last part of the id and the folder of an exact rerun."""


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
        if recipe.data.order == "sequential":
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
        result = directory.read_result()
        if result is None:
            return None
        events = directory.read_events()
        return End(cause=Cause.RESULT, reason=result.cause, result=result, events=events)

    def read_end(self, directory: RunDirectory, ended: Ended) -> End:
        try:
            found = self.find_result(directory) if ended.status == Exit.DONE else None
            return found or _end_without_result(directory, ended)
        except (OSError, RunDirectoryError) as error:
            reason = str(error)
            return End(cause=_cause(ended), reason=reason, signature=failure_signature(reason))


class GptTrainer:
    """See `sweep.trainers.base.Trainer`."""

    def make_spec(self, study: Study, changes: Mapping[str, Any], seeds: Seeds) -> GptRun:
        return GptRun(apply(study.baseline, changes, seeds))

    def read_run(self, directory: RunDirectory) -> tuple[RunIdentity, GptRun] | None:
        request = directory.read_request()
        if request.corpus_hash is None:
            return None
        recipe, inputs = request.recipe, (request.corpus_hash, request.weights_hash)
        run_id, repeat_of = request.run_id, request.repeat_of
        if run_id is None:  # older versions did not store it
            first = recipe.fingerprint(*inputs)
            again = directory.path.name.endswith(RERUN_SUFFIX)
            run_id, repeat_of = (f"{first}{RERUN_SUFFIX}", first) if again else (first, None)
        identity = RunIdentity(
            run_id=run_id,
            family=request.family or recipe.family(*inputs),
            corpus_hash=request.corpus_hash,
            repeat_of=repeat_of,
        )
        return identity, GptRun(recipe)


def recipe_of(spec: RunSpec) -> Recipe:
    """The recipe of a run of the built-in trainer. Raises StudyError for another trainer's."""
    if not isinstance(spec, GptRun):
        raise StudyError("this works for runs of the built-in GPT trainer only")
    return spec.recipe


def expected_cost(recipe: Recipe) -> Cost:
    """Return cost and size of training a recipe and evaluating it once."""
    trained = recipe.steps * recipe.tokens_per_step
    scored = recipe.evaluation.chunks * recipe.evaluation.chunk_tokens
    return Cost(
        flops=recipe.flops,
        evaluation_flops=recipe.flops * EVALUATION_COST_RATIO * scored / trained,
        tokens=trained,
        steps=recipe.steps,
        parameters=parameter_count(recipe.model, vocabulary_size(recipe.data.tokenizer)),
        curve_points=recipe.steps // recipe.steps_per_point + 1,
        chunks=recipe.evaluation.chunks,
    )


def _end_without_result(directory: RunDirectory, ended: Ended) -> End:
    if ended.signal is not None or ended.out_of_memory:
        return _killed(ended)
    return _exited(directory, ended)


def _killed(ended: Ended) -> End:
    """Return the end of a process that a signal ended."""
    peak = _peak(ended)
    if ended.out_of_memory:
        reason = (
            f"out of memory: the kernel killed it (SIGKILL) at {peak}; set a smaller "
            "jobs.micro_batch, run fewer at once (--slots), or give it more memory"
        )
        return End(cause=Cause.OUT_OF_MEMORY, reason=reason)
    number = ended.signal or signal.SIGKILL
    reason = f"killed by signal {number} ({signal.Signals(number).name})"
    if ended.out_of_memory is False:
        reason += f" at {peak}: sent by another process, not by the OOM killer"
    return End(cause=Cause.KILLED, reason=reason)


def _exited(directory: RunDirectory, ended: Ended) -> End:
    """Return the end of a process that exited without a result."""
    cause = _cause(ended)
    output = directory.last_log_line()
    reason = output or f"exited with status {ended.status} and printed nothing"
    if cause is Cause.OUT_OF_MEMORY:
        reason = f"{reason} (at its peak: {_peak(ended)})"
    return End(cause=cause, reason=reason, signature=failure_signature(output))


def _cause(ended: Ended) -> Cause:
    """Return what the exit status alone says."""
    return Cause.FAILED if ended.status is None else CAUSES.get(ended.status, Cause.FAILED)


def _peak(ended: Ended) -> str:
    return f"{ended.peak_bytes / 1e9:.2f} GB resident" if ended.peak_bytes else "memory unknown"
