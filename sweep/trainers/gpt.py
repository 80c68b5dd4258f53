"""The built-in GPT trainer behind the interface of `sweep.trainers.base`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.executors.fork_server import PRELOAD_GPT
from sweep.study.file import Study, apply
from sweep.study.mistakes import Mistake
from sweep.trainers.base import Inputs, RunIdentity, RunSpec
from sweep.trainers.builtin import GptRun
from trainer.recipe import Seeds
from trainer.rundir.directory import RunDirectory

RERUN_SUFFIX = "-again"
"""Last part of the id and the folder of an exact rerun."""


class GptTrainer:
    """See `sweep.trainers.base.Trainer`."""

    def find_mistakes(self, study: Study) -> list[Mistake]:  # noqa: ARG002  (its fields are checked)
        return []

    def preload(self, study: Study) -> Sequence[str]:  # noqa: ARG002  (the same for all)
        return PRELOAD_GPT

    def make_spec(self, study: Study, changes: Mapping[str, Any], seeds: Seeds) -> GptRun:
        return GptRun(apply(study.baseline, changes, seeds))

    def read_run(self, directory: RunDirectory) -> tuple[RunIdentity, GptRun] | None:
        others = directory.script, directory.instructions
        if not directory.recipe.exists() and any(path.exists() for path in others):
            return None
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

    def find_inputs(
        self, study: Study, specs: Sequence[RunSpec], cache: Path, beside: Path, *, online: bool
    ) -> Inputs:
        from sweep.trainers.inputs import find_inputs

        return find_inputs(specs, cache, beside, study.tokenizers, online=online)
