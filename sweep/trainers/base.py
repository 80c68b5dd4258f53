"""The interface between sweep and a trainer of any kind.

Queue, scheduler, store and forecasts access runs only through `RunSpec`. The built-in GPT trainer
is in `sweep.trainers.builtin`; another trainer is another class with these members.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sweep.executors.base import Ended
from sweep.study.file import Study
from sweep.study.jobs_section import Jobs
from sweep.study.mistakes import Mistake
from trainer.recipe import Seeds
from trainer.rundir.directory import Event, Result, RunDirectory

if TYPE_CHECKING:
    from sweep.trainers.supply import Supply
    from trainer.corpora.corpus import Corpus

_VARIABLE = re.compile(r"\S*/\S*|\d+")
"""Matches paths and numbers, which differ between runs that fail alike."""


def failure_signature(message: str) -> str:
    """Return a message without paths and numbers: equal for attempts that failed alike."""
    return _VARIABLE.sub("…", message)


def hashed(content: Mapping[str, Any]) -> str:
    """The SHA-256 of JSON values, independent of the order of their keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Cause(Enum):
    """Why an attempt at a run ended."""

    RESULT = auto()
    """It has a result."""
    STOPPED = auto()
    """It was asked to stop, and stopped between two steps."""
    TAKEN = auto()
    """Another process is training this run."""
    DISK_FULL = auto()
    RUNNER_LOST = auto()
    """The process that starts runs has ended, and the run with it."""
    OUT_OF_MEMORY = auto()
    """An allocation failed, or the kernel's OOM killer ended it."""
    KILLED = auto()
    """A signal ended it, and not because of memory."""
    REFUSED = auto()
    """The trainer's exit status says that another attempt would end the same way."""
    FAILED = auto()
    """It ended without a result, for a reason that only its output tells."""
    STALLED = auto()
    """It gave no sign of life for `jobs.stall_timeout` seconds."""
    TIMED_OUT = auto()
    """It was not done after `jobs.timeout` seconds."""
    NOT_STARTED = auto()
    """Its run directory could not be prepared."""


@dataclass(frozen=True, kw_only=True)
class End:
    """How an attempt ended."""

    cause: Cause
    reason: str | None = None
    """The cause as a sentence."""
    signature: str = ""
    """The message of the failure as `failure_signature` returns it; empty if the cause says all."""
    result: Result | None = None
    events: Sequence[Event] = ()
    """The training curve, if there is a result."""
    primary_value: float | None = None
    """For the result of a script: the metric that the study is about; None if the run diverged."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Expected cost and size of a run."""

    flops: float
    """Floating-point operations of training."""
    evaluation_flops: float
    """Floating-point operations of the evaluation on the test text."""
    tokens: int
    """Training tokens; 0 if the trainer counts none."""
    steps: int
    """Optimizer steps; 0 if the trainer does not know them."""
    parameters: int
    curve_points: int
    chunks: int
    """Chunks of test text whose losses are kept."""


UNKNOWN_COST = Cost(
    flops=1.0,
    evaluation_flops=0.0,
    tokens=0,
    steps=0,
    parameters=0,
    curve_points=0,
    chunks=0,
)
"""The cost of a run whose work is not known before it ends: each counts as one unit of work."""


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """The ids of a run."""

    run_id: str
    """Fingerprint of everything that determines the result."""
    family: str
    """Fingerprint without the seeds: the same for all runs of an arm."""
    corpus_hash: str
    """Hash of the data; empty if the trainer has none."""
    repeat_of: str | None = None
    """Id of the run that this one repeats exactly, if it does."""


class RunSpec(Protocol):
    """The specification of a run: its parameters and seeds."""

    @property
    def seeds(self) -> Seeds:
        """Seeds of the random streams."""

    @property
    def cost(self) -> Cost:
        """Expected cost."""

    @property
    def identity(self) -> str:
        """All settings except the seeds, as canonical JSON: the same for all runs of an arm."""

    def with_seeds(self, seeds: Seeds) -> RunSpec:
        """The same run with other seeds."""

    def idle_streams(self) -> dict[str, str]:
        """Random streams that do not affect this run; the reason, by stream."""

    def parameters(self) -> dict[str, Any]:
        """Return all parameters as JSON values, for the database."""

    def write_request(self, directory: RunDirectory, identity: RunIdentity, settings: Jobs) -> None:
        """Prepare a run directory for training. Raises OSError and RunDirectoryError."""

    def find_result(self, directory: RunDirectory) -> End | None:
        """Return the result that a directory holds; None if it has none.

        Raises OSError and RunDirectoryError if it cannot be read.
        """

    def read_end(self, directory: RunDirectory, ended: Ended) -> End:
        """Return why the process ended, and the result if there is one."""


class Inputs(Protocol):
    """The corpora and initial weights that the runs of a plan read."""

    @property
    def supplies(self) -> Sequence[Supply]:
        """The corpora, prepared or not; empty if the trainer has none."""

    def identify(self, specs: Sequence[RunSpec]) -> Sequence[tuple[RunIdentity, RunSpec]]:
        """Return ids of runs that differ only in their seeds, with all that their start needs."""

    def check(self, spec: RunSpec) -> None:
        """Raise CorpusError or WeightsError if a run does not fit its inputs, as far as is known."""

    def notes(self, specs: Iterable[RunSpec]) -> list[str]:
        """Remarks on the runs and their inputs, in sentences without a full stop."""

    def prepare_large(self, make: Callable[[Supply], Corpus]) -> Inputs:
        """Return the same inputs with the large corpora prepared by `make`."""

    def save_small(self) -> None:
        """Write the token files that are not in the cache yet. Raises ExecutionError."""


class Trainer(Protocol):
    """One kind of run. `sweep.trainers.registry` lists the kinds."""

    def find_mistakes(self, study: Study) -> list[Mistake]:
        """Return what is wrong with a study for this trainer, whatever its arms are."""

    def preload(self, study: Study) -> Sequence[str]:
        """Return the modules that its runs need, to be imported once before they are forked."""

    def make_spec(self, study: Study, changes: Mapping[str, Any], seeds: Seeds) -> RunSpec:
        """The study's baseline with some fields set.

        Raises InvalidStudyError with all unknown fields and wrong values. Each message continues a
        sentence that begins with the arm: `sets 'model.drop_out', which is not a recipe field`. The
        keys of a mistake are the one changed field that is wrong by itself, if it is one.
        """

    def read_run(self, directory: RunDirectory) -> tuple[RunIdentity, RunSpec] | None:
        """Return the run that a directory was made for; None if sweep did not make it.

        Raises RunDirectoryError if the directory is damaged.
        """

    def find_inputs(
        self, study: Study, specs: Sequence[RunSpec], cache: Path, beside: Path, *, online: bool
    ) -> Inputs:
        """Find what the runs read; writes nothing. Raises CorpusError and WeightsError.

        `beside` is the folder of the study file. With `online`, a dataset that was never looked up
        on the hub is looked up.
        """
