"""Messages between the scheduler, the process that is Ray's driver, and the places on the nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Call:
    """What the scheduler asks of the driver: a line of JSON."""

    kind: Literal["start", "find", "signal", "release", "close"]
    directory: str = ""
    attempt: int = 0
    number: int = 0
    """A signal."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the driver tells the scheduler: a line of JSON."""

    kind: Literal["slots", "found", "waiting", "ended", "error"]
    directory: str = ""
    slots: int = 0
    """Number of runs that there are places for."""
    is_there: bool = False
    """True if the cluster has the run, or its end, from a scheduler that was killed."""
    words: str | None = None
    """Why a run waits (None: it has begun), why it was lost (None: it was not), or the error."""
    status: int | None = None
    signal: int | None = None
    peak_bytes: int | None = None
    out_of_memory: bool | None = None


@dataclass(frozen=True, kw_only=True)
class PlaceSettings:
    """How the runs of a place are executed."""

    preload: Sequence[str]
    device: str
    threads: int
    share: float = 1.0
    """The share of its GPU that a run has."""
    folder: str | None = None
    """Folder of the node's own disk, for copies of run directories; None if the disk is shared."""
    nodes: int = 1
    """Nodes that train a run together. The place is on the first one, and has actors on the others."""
    rank: int = 0
    """Number of this node among them; set there."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Ray's options of an actor on each of them: the resources of a run there."""
    amounts: Mapping[str, float] = field(default_factory=dict)
    """The same resources by their names."""
    node: str = ""
    """Ray's id of the node; set there."""
    job: str = ""
    """The place, for people; set there."""


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """How a run has ended, in the words of `sweep.executors.base.Ended`."""

    directory: str
    attempt: int
    status: int | None
    signal: int | None
    peak_bytes: int | None
    out_of_memory: bool | None
    lost: str | None = None
    """Why it ended through no fault of its own; the place is of no more use then."""


@dataclass(frozen=True, kw_only=True)
class PlaceState:
    """What a place does."""

    node: str
    running: str | None
    """The directory of its run."""
    ended: RunEnd | None
    """The last end that no scheduler has confirmed."""

    def has(self, directory: str) -> bool:
        """True if a run is running here, or has ended here."""
        return directory == self.running or (
            self.ended is not None and directory == self.ended.directory
        )


@dataclass(frozen=True, kw_only=True)
class NodeAnswer:
    """What a probe has found on a node."""

    host: str
    python: str
    torch: str | None
    executable: str
    missing: Sequence[str]
    """Packages that are not installed."""
    sees_code: bool
    sees_folder: bool
    can_write: bool
    clock: float
    """Unix time there."""
