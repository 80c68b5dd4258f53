"""The files of `sweep.store.ledger`, read into typed rows.

Only the columns that rebuilding decides by are declared. Other columns pass through as they are in
the file: it may have been written by an older version, and empty columns are left out of it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sweep.store.states import RunState


class FileRow(BaseModel):
    """A row of a table."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def columns(self) -> dict[str, Any]:
        """Return the columns that the file has, by name."""
        return self.model_dump(exclude_unset=True)


class StudyFileRow(FileRow):
    """A row of `studies`."""

    name: str


class ArmFileRow(FileRow):
    """A row of `arms`."""

    id: int
    """In the database that the file was written from."""
    name: str


class MemberFileRow(FileRow):
    """A row of `members`."""

    arm_id: int
    run_id: str


class RunFileRow(FileRow):
    """A row of `runs`."""

    id: str
    repeat_of: str | None = None
    """Id of the run that this one repeats exactly, if it does."""
    state: RunState


class RunPartFileRow(FileRow):
    """A row of `attempts`, `curves`, `chunk_losses`, `metrics` or `metric_points`."""

    run_id: str


class StudyFile(BaseModel):
    """The content of `RUNS/studies/NAME.json`: rows by table."""

    studies: Annotated[list[StudyFileRow], Field(min_length=1, max_length=1)]
    plans: Annotated[list[FileRow], Field(min_length=1)]
    arms: Annotated[list[ArmFileRow], Field(min_length=1)]
    members: Annotated[list[MemberFileRow], Field(min_length=1)]
    reference_models: list[FileRow] = []
    trials: list[FileRow] = []
    runs: list[RunFileRow] = []
    """Runs with a folder of their own are in here as they were before their first attempt."""
    attempts: list[RunPartFileRow] = []
    curves: list[RunPartFileRow] = []
    chunk_losses: list[RunPartFileRow] = []
    metrics: list[RunPartFileRow] = []
    metric_points: list[RunPartFileRow] = []

    @model_validator(mode="after")
    def _members_have_arms(self) -> StudyFile:
        if {member.arm_id for member in self.members} - {arm.id for arm in self.arms}:
            raise ValueError("a member has no arm")
        return self


class NoiseFile(BaseModel):
    """The content of `RUNS/noises/NAME.json`: rows by table."""

    noises: list[FileRow]


class AttemptLine(FileRow):
    """A line of `attempts.jsonl`: an attempt, and how it left the run."""

    state: RunState = RunState.QUEUED
    """State of the run after the attempt."""
    cause: str | None = None
    failures: int | None = None
    """Attempts that failed since the run was last asked for."""
