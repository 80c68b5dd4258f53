"""`[jobs.ray]` of a study file: how runs are placed on a Ray cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from model.config import Config

Amount = Annotated[float, Field(gt=0)]


class Ray(Config):
    """The cluster, and what a run needs of it beside `gpus_per_run`."""

    address: str = "auto"
    """`HOST:PORT` of the cluster's head node; `auto`: the cluster that this machine belongs to (or `RAY_ADDRESS`)."""
    cpus_per_run: Annotated[float, Field(gt=0, le=4096)] = 1
    """CPUs that Ray reserves for a run on each of its nodes, and its threads there; on a cluster without GPUs, for each process of it."""
    resources: dict[str, Amount] = Field(default_factory=dict)
    """Further resources of a run on each of its nodes by Ray's names, such as `{ "accelerator_type:H100" = 0.001 }`."""
    folder: str = "~/.cache/sweep"
    """Folder on each node's own disk, with `jobs.shared_filesystem = false`; may have `$VARIABLES`."""
