"""Settings of the process that talks to a Ray cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256


@dataclass(frozen=True, kw_only=True)
class RaySettings:
    """What a scheduler tells the process that talks to Ray."""

    address: str
    """`HOST:PORT` of the cluster, or `auto` for the one that this machine belongs to."""
    folder: str
    """Absolute path of the folder of runs."""
    gpus_per_run: float = 1
    """On all of its nodes together."""
    nodes_per_run: int = 1
    cpus_per_run: float = 1
    resources: Mapping[str, float] = field(default_factory=dict)
    """Custom resources of a run."""
    slots: int | None = None
    """Number of runs at the same time; None for as many as the cluster has places for."""
    preload: Sequence[str] = ()
    node_folder: str | None = None
    """Folder on each node's own disk, where no disk is shared; None if the folder of runs is."""
    needs_torch: bool = True
    """False for a script, which need not use torch."""

    @property
    def namespace(self) -> str:
        """Ray's namespace of the actors: one for each folder of runs."""
        return f"sweep-{sha256(self.folder.encode()).hexdigest()[:16]}"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> RaySettings:
        return RaySettings(**json.loads(text))
