"""Rows of the database as typed values.

Each class has the columns of its table in `sweep.store.schema`, under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sweep.store.states import AttemptOutcome, RunState

if TYPE_CHECKING:
    from sqlalchemy import RowMapping


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """A study that was run or imported here."""

    name: str
    path: str
    """The study file or, for an imported study, the file of results."""
    plan_hash: str
    """Hash of the plan that was last run."""
    last_run: float
    """Unix time."""
    paused: float | None
    """Unix time at which it was paused; None if it is not paused."""
    imported: bool | None
    """True if its results were imported."""
    note: str | None = None
    """What a person has written about it."""
    tags: Sequence[str] | None = None
    """Words that a person has given it."""


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """A plan that a study has had."""

    study: str
    hash: str
    content: Mapping[str, Any]
    """See `sweep.store.plan_content`."""
    stored: float
    """Unix time."""


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """An arm of a study."""

    id: int
    study: str
    name: str
    position: int
    """0 for the baseline."""
    interventions: Sequence[str]
    changes: Mapping[str, Any]
    """Recipe fields that differ from the baseline's, as `section.field`."""


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run and everything recorded about it. A field is None until it is known."""

    id: str
    """Fingerprint of recipe, corpus and metric."""
    repeat_of: str | None
    recipe: Mapping[str, Any]
    corpus_hash: str
    family: str
    init_seed: int
    order_seed: int
    dropout_seed: int
    state: RunState
    owner: str | None
    """The scheduler that trains it."""
    attempt: int | None
    """Number of the claim that holds it."""
    beat: int | None
    """Grows while the scheduler that trains it lives."""
    failures: int | None
    """Attempts that failed since the run was last queued by a command."""
    retry_at: float | None
    """Unix time of the next attempt after a failure."""
    test_loss: float | None
    """Nats per token."""
    bits_per_byte: float | None
    diverged_at: int | None
    """Step."""
    cause: str | None
    """Why it diverged or failed, as a sentence."""
    last_loss: float | None
    """Last finite training loss, nats per token."""
    steps: int | None
    tokens: int | None
    tokens_per_second: float | None
    skipped_steps: int | None
    """Steps whose gradient was not finite."""
    micro_batch: int | None
    """Sequences per process and pass."""
    processes: int | None
    notes: Sequence[str] | None
    started: float | None
    """Unix time."""
    first_step: float | None
    """Unix time."""
    finished: float | None
    """Unix time."""
    provenance: Mapping[str, Any] | None
    """Code, packages, device, corpus."""
    further: Mapping[str, Any] | None
    """The other columns of an imported file."""


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run, and the arm and seed that it has in a study."""

    study: str
    arm: str
    seed: int
    run: RunRow


@dataclass(frozen=True, kw_only=True)
class FoundRun:
    """The run that a command line named, by its id or as ARM/SEED of a study."""

    run: RunRow
    place: PlannedRun | None = None
    """Study, arm and seed, if it was named as ARM/SEED."""


class LossRow(NamedTuple):
    """State and loss of one arm and seed. A tuple, because a study may have a million of them."""

    arm: str
    seed: int
    state: RunState
    test_loss: float | None
    init_seed: int
    order_seed: int
    dropout_seed: int


class RunNotice(NamedTuple):
    """A run that is neither done nor waiting for its first attempt, as `sweep status` lists it."""

    arm: str
    seed: int
    id: str
    state: RunState
    cause: str | None
    failures: int | None
    retry_at: float | None


class RunTime(NamedTuple):
    """Start and end of a finished run, Unix time."""

    id: str
    started: float
    finished: float


class TimedRun(NamedTuple):
    """A finished run of any study, with what its time depends on."""

    id: str
    started: float
    finished: float
    family: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class AttemptRow:
    """One attempt at a run."""

    run_id: str
    number: int
    claimed: float
    """Unix time."""
    ended: float | None
    """Unix time; None while the attempt runs."""
    outcome: AttemptOutcome | None
    reason: str | None
    peak_bytes: int | None
    """Largest resident memory."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A point of a training curve."""

    run_id: str
    step: int
    loss: float | None
    """Training loss, nats per token."""
    learning_rate: float
    grad_norm: float | None
    clipped: float | None
    """Fraction of the steps since the last point that were clipped."""
    skipped: int | None
    tokens_per_second: float


@dataclass(frozen=True, kw_only=True)
class ReferenceRow:
    """A model that a study did not train, measured on its test text."""

    study: str
    test_text: str
    """Hash of the text and of the evaluation settings."""
    weights_hash: str
    name: str
    folder: str
    test_loss: float
    """Nats per token."""
    bits_per_byte: float
    parameters: int
    context: int
    """Tokens that the model can see."""
    evaluated: float
    """Unix time."""
    provenance: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """A trial of a search. Its runs are those of the arm `name`."""

    study: str
    search: str
    """Hash of what is searched: the arm, fields and sampler."""
    number: int
    arm: str
    """The arm that is tuned."""
    name: str
    field_values: Mapping[str, Any]
    """Values that were tried, by field."""
    sampler_state: Mapping[str, Any]
    """State of Optuna's sampler."""
    pruned_at: int | None
    """Step at which it was stopped because its curve was bad."""
    refused: str | None
    """Why its values give no valid recipe."""
    asked: float
    """Unix time."""


@dataclass(frozen=True, kw_only=True)
class NoiseRow:
    """A stored noise study."""

    study: str
    fingerprint: str
    recipe: Mapping[str, Any]
    corpus_hash: str
    device: str
    measured: float
    """Unix time."""
    content: Mapping[str, Any]
    """The JSON that `sweep noise --format json` printed."""


def planned_run(row: RowMapping) -> PlannedRun:
    """Read a row that holds a study, an arm's `name`, a seed and all columns of `runs`."""
    fields = dict(row)
    place = {"study": fields.pop("study"), "arm": fields.pop("name"), "seed": fields.pop("seed")}
    return PlannedRun(**place, run=RunRow(**fields))
