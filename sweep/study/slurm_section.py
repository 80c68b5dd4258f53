"""`[jobs.slurm]` of a study file: how runs are submitted to Slurm."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from model.config import Config

_OWN = (
    *("array", "job-name", "output", "error", "open-mode", "requeue", "no-requeue", "signal"),
    *("parsable", "wrap", "chdir", "dependency", "ntasks", "nodes", "wait", "export"),
)
"""Options of sbatch that sweep sets itself."""
_FIELDS = ("partition", "account", "qos", "time", "mem", "cpus-per-task", "gres", "constraint")
_OPTION = re.compile(r"--(?P<name>[a-z][a-z0-9-]*)(?:[= ](?P<value>.*))?")


def _one_word(value: str) -> str:
    if not value or not value.isprintable() or re.search(r"[\s\"'\\]", value):
        raise ValueError(f"{value!r} is one word, without spaces, quotes and line breaks")
    return value


def _one_line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError(f"{value!r} is one line, and not empty")
    return value


def _option(value: str) -> str:
    found = _OPTION.fullmatch(_one_line(value))
    if found is None:
        raise ValueError(
            f'{value!r} is no option of sbatch; write one option per entry, as "--exclusive" or '
            '"--mail-type=END"'
        )
    name = found["name"]
    if name in _FIELDS:
        field = {"mem": "memory", "cpus-per-task": "cpus"}.get(name, name)
        raise ValueError(f"{value!r}: set jobs.slurm.{field} instead")
    if name in _OWN:
        raise ValueError(f"{value!r}: sweep sets --{name} itself")
    return value


Word = Annotated[str, AfterValidator(_one_word)]
Line = Annotated[str, AfterValidator(_one_line)]
Option = Annotated[str, AfterValidator(_option)]


class Slurm(Config):
    """How runs are submitted to Slurm; what is left out is left to the cluster's defaults."""

    partition: Word | None = None
    """Partition, or several with commas: `--partition`."""
    account: Word | None = None
    """Account that pays: `--account`."""
    qos: Word | None = None
    """Quality of service: `--qos`."""
    time: Word | None = None
    """Time limit of a job, as `04:00:00` or `1-12`: `--time`. A longer run continues in a new job."""
    memory: Word | None = None
    """Memory per node, as `16G`: `--mem`."""
    cpus: int | None = Field(default=None, ge=1, le=4096)
    """CPU cores of a run on each node: `--cpus-per-task`; without it, one for each of its processes there."""
    gres: Word | None = None
    """Generic resources on each node, as `gpu:a100:1`: `--gres`; without it, GPUs if the partition has some."""
    constraint: Word | None = None
    """Features of the nodes: `--constraint`."""
    array_size: int = Field(default=200, ge=1, le=100_000)
    """Runs that are in Slurm's queue at the same time; `--slots` goes first."""
    running: int | None = Field(default=None, ge=1, le=100_000)
    """Jobs of one array that run at the same time: the `%N` of `--array`."""
    options: list[Option] = Field(default=[])
    """Further options of sbatch, one per entry: `"--exclusive"`."""
    setup: list[Line] = Field(default=[])
    """Commands that a job runs first, one per entry: `"module load cuda"`."""
    python: Word | None = None
    """Python of the nodes, after `setup`; without it, the one that runs the command."""
    requeue: bool = True
    """If true, a job that is preempted, or whose node fails, is queued again by Slurm."""
    notice: int = Field(default=120, ge=10, le=3600)
    """Seconds before its time limit at which a job is told to write a checkpoint."""
    poll_seconds: float = Field(default=5.0, ge=0.2, le=600)
    """Seconds between two looks at Slurm's queue."""
