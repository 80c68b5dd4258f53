"""Instruction fine-tunes of finished runs, behind the interface of `sweep.trainers.base`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from sweep.errors import StudyError
from sweep.executors.base import Ended
from sweep.executors.fork_server import PRELOAD_GPT
from sweep.store.ledger import directory_name
from sweep.study.file import Study
from sweep.study.jobs_section import Jobs
from sweep.study.mistakes import Mistake
from sweep.trainers.base import UNKNOWN_COST, Cost, End, Inputs, RunIdentity, RunSpec, hashed
from sweep.trainers.ends import find_result, read_end
from trainer.instructions.data import InstructionData
from trainer.instructions.request import (
    InstructionRequest,
    read_instruction_request,
    write_instruction_request,
)
from trainer.instructions.settings import InstructionSettings
from trainer.recipe import Seeds
from trainer.rundir.directory import RunDirectory

VERSION = 1
"""Increased when a change of the code gives the same weights other answers."""
ENDED = "ended_answers"
"""The share of answers that ended by themselves, as a metric of a fine-tune."""


@dataclass(frozen=True)
class InstructionRun:
    """A fine-tune of the final weights of a run; see `sweep.trainers.base.RunSpec`."""

    base_id: str
    """The id of the run."""
    base_family: str
    """The id that all runs of its arm share."""
    data_hash: str
    settings: InstructionSettings
    seeds: Seeds
    """Those of the run."""

    @property
    def cost(self) -> Cost:
        return UNKNOWN_COST

    @property
    def identity(self) -> str:
        return json.dumps(self._identity(self.base_family), sort_keys=True)

    def with_seeds(self, seeds: Seeds) -> InstructionRun:
        return replace(self, seeds=seeds)

    def idle_streams(self) -> dict[str, str]:
        idle = {"init": "the weights are those of a run"}
        return idle if self.settings.dropout else {**idle, "dropout": "its dropout is 0"}

    def parameters(self) -> dict[str, Any]:
        return {
            "trainer": {"instructions": self.data_hash, "base": self.base_id},
            "parameters": self.settings.model_dump(mode="json"),
            "seeds": self.seeds.model_dump(),
        }

    def run_identity(self) -> RunIdentity:
        """Return the ids of this fine-tune. Those of the run stand for its seeds, too."""
        return RunIdentity(
            run_id=hashed(self._identity(self.base_id)),
            family=hashed(self._identity(self.base_family)),
            corpus_hash="",
        )

    def write_request(self, directory: RunDirectory, identity: RunIdentity, settings: Jobs) -> None:
        write_instruction_request(
            directory,
            InstructionRequest(
                base=f"../{directory_name(self.base_id)}",
                base_id=self.base_id,
                data=f"../{data_place(self.data_hash)}",
                data_hash=self.data_hash,
                settings=self.settings,
                seeds=self.seeds,
                execution=settings.execution(),
                run_id=identity.run_id,
                family=identity.family,
                base_family=self.base_family,
                repeat_of=identity.repeat_of,
            ),
        )

    def find_result(self, directory: RunDirectory) -> End | None:
        return find_result(directory)

    def read_end(self, directory: RunDirectory, ended: Ended) -> End:
        return read_end(directory, ended)

    def _identity(self, base: str) -> dict[str, Any]:
        settings = self.settings.model_dump(mode="json", exclude_defaults=True)
        return {
            "version": VERSION,
            "instructions": settings,
            "data": self.data_hash,
            "base": base,
        }


class InstructionRuns:
    """See `sweep.trainers.base.Trainer`. No study has it as its trainer."""

    def find_mistakes(self, study: Study) -> list[Mistake]:  # noqa: ARG002  (its fields are checked)
        return []

    def preload(self, study: Study) -> Sequence[str]:  # noqa: ARG002  (the same for all)
        return PRELOAD_GPT

    def make_spec(self, study: Study, changes: Mapping[str, Any], seeds: Seeds) -> NoReturn:  # noqa: ARG002
        _refuse(study)

    def read_run(self, directory: RunDirectory) -> tuple[RunIdentity, InstructionRun] | None:
        if not directory.is_instruction_run:
            return None
        request = read_instruction_request(directory)
        identity = RunIdentity(
            run_id=request.run_id,
            family=request.family,
            corpus_hash="",
            repeat_of=request.repeat_of,
        )
        spec = InstructionRun(
            base_id=request.base_id,
            base_family=request.base_family,
            data_hash=request.data_hash,
            settings=request.settings,
            seeds=request.seeds,
        )
        return identity, spec

    def find_inputs(
        self,
        study: Study,
        specs: Sequence[RunSpec],  # noqa: ARG002
        cache: Path,  # noqa: ARG002
        beside: Path,  # noqa: ARG002
        *,
        online: bool,  # noqa: ARG002
    ) -> Inputs:
        _refuse(study)


def data_place(data_hash: str) -> str:
    """The copy of instruction data, relative to the folder of runs."""
    return f"instructions/{data_hash[:16]}.json"


def save_data(data: InstructionData, folder: Path) -> None:
    """Copy instruction data into the folder of runs, from which fine-tunes read it. Raises OSError."""
    from trainer.files import write_whole

    path = folder / data_place(data.hash)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data.content)


def _refuse(study: Study) -> NoReturn:
    raise StudyError(f"{study.name}: `sweep judge` makes fine-tunes of runs; they are no arms")
