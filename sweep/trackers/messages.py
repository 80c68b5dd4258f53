"""Messages from a command to the process of a tracker: a line of JSON each."""

from __future__ import annotations

from enum import StrEnum, auto
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from model.config import Config
from sweep.trackers.base import TrackedRun, Verdicts
from trainer.rundir.directory import Event


class Kind(StrEnum):
    """The kind of a message, by which it is read."""

    STARTED = auto()
    ADVANCED = auto()
    STOPPED = auto()
    ENDED = auto()
    JUDGED = auto()


class Started(Config):
    """An attempt at a run has started."""

    kind: Literal[Kind.STARTED] = Kind.STARTED
    run: TrackedRun


class Advanced(Config):
    """A run has taken some steps."""

    kind: Literal[Kind.ADVANCED] = Kind.ADVANCED
    key: str
    event: Event


class Stopped(Config):
    """A run was stopped, or an attempt has failed; it continues later."""

    kind: Literal[Kind.STOPPED] = Kind.STOPPED
    key: str


class Ended(Config):
    """A run has a result in its directory, or has failed for good."""

    kind: Literal[Kind.ENDED] = Kind.ENDED
    run: TrackedRun
    failure: str | None = None
    """Why it failed; None if it has a result."""


class Judged(Config):
    """The study has verdicts."""

    kind: Literal[Kind.JUDGED] = Kind.JUDGED
    verdicts: Verdicts


Message = Started | Advanced | Stopped | Ended | Judged
MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


class Answer(Config):
    """What the process of a tracker says: a line of JSON each."""

    handled: int = 0
    """Messages handled since the last answer."""
    trouble: str | None = None
    """Why something could not be sent."""
    link: str | None = None
    """How to look at the runs; said at the end."""
