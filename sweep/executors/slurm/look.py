"""What the probe finds on the nodes of its job: the first one asks the others by srun.

What they print comes through Slurm, so that a node that does not see the folder of runs can say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from model.config import Config
from sweep.errors import listed
from sweep.executors.slurm.batch import NODE
from trainer.processes.node import NodeFacts, compare, find_facts, folder_problem
from trainer.words import shortened

LOOK_SECONDS = 300.0
"""Seconds in which all nodes must answer. The first import of torch from a busy disk takes a minute."""
MAX_NAMES = 8
"""Names of nodes that one sentence lists."""


class Seen(Config):
    """What a node says of itself."""

    node: str
    """Its name in Slurm."""
    facts: NodeFacts | None = None
    problem: str | None = None
    """Why it cannot train, in a sentence, if it found that itself."""


class Found(Config):
    """The content of `facts.json`: the nodes of the probe's job, the first one first."""

    nodes: list[Seen] = Field(min_length=1)

    @property
    def facts(self) -> NodeFacts | None:
        """Those of the first node."""
        return self.nodes[0].facts

    def problem(self, scheduler: NodeFacts, *, needs_torch: bool) -> str | None:
        """Return which nodes cannot train and why, in sentences; None if all can."""
        bad = {
            each.node: problem
            for each in self.nodes
            if (problem := _problem(each, scheduler, needs_torch=needs_torch))
        }
        if not bad:
            return None
        first, *others = bad
        names = listed(others) if len(others) <= MAX_NAMES else shortened(others, MAX_NAMES)
        also = f". Nor can {names} be used" if others else ""
        if len(bad) == len(self.nodes):
            return f"{bad[first]}{also}"
        return (
            f"{bad[first]}{also}. The other {len(self.nodes) - len(bad)} of {len(self.nodes)} nodes "
            f'that were looked at can train: options = ["--exclude={",".join(bad)}"] in [jobs.slurm] '
            "does without"
        )


def _problem(seen: Seen, scheduler: NodeFacts, *, needs_torch: bool) -> str | None:
    if seen.facts is None:
        return seen.problem
    return compare(seen.facts, scheduler, needs_torch=needs_torch)


def look(folder: Path, *, with_torch: bool) -> Seen:
    """Return what this node has; `folder` is on the file system of the runs."""
    name = os.environ["SLURMD_NODENAME"]
    problem = folder_problem(folder, name)
    try:
        facts = None if problem else find_facts(folder, with_torch=with_torch)
    except OSError as error:
        return Seen(node=name, problem=f"{name} cannot write to {folder}: {error.strerror}")
    return Seen(node=name, facts=facts and facts.model_copy(update={"host": name}), problem=problem)


def look_at_all(folder: Path, *, with_torch: bool) -> Found:
    """Return what all nodes of this job have; called on the first one."""
    own = look(folder, with_torch=with_torch)
    names = _printed("scontrol", "show", "hostnames").split()
    others = [name for name in names if name != own.node]
    if not others:
        return Found(nodes=[own])
    words = ["--look", str(folder), *(["--torch"] if with_torch else [])]
    command = [*on_others(len(others), "1"), "--quiet", sys.executable, *NODE, *words]
    answers = {each.node: each for each in _answers(_printed(*command))}
    return Found(nodes=[own, *(answers.get(name) or _silent(name) for name in others)])


def on_others(nodes: int, cores: str) -> Sequence[str]:
    """Return the command that starts a process on each node of a job but for the first."""
    return (
        *("srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--relative=1"),
        *(f"--cpus-per-task={cores}", "--mpi=none", "--input=none"),
    )


def _silent(name: str) -> Seen:
    return Seen(
        node=name,
        problem=(
            f"{name} did not start {sys.executable}: sweep and its environment must be on a disk that "
            "all nodes share"
        ),
    )


def _answers(printed: str) -> list[Seen]:
    found = []
    for line in printed.splitlines():
        try:
            found.append(Seen.model_validate_json(line))
        except ValidationError:  # what a profile of the node prints
            continue
    return found


def _printed(*command: str) -> str:
    """Return what a command of Slurm printed, also if it failed or took too long.

    Its errors go to the job's output.
    """
    try:
        ended = subprocess.run(  # noqa: S603  (no shell)
            command, stdout=subprocess.PIPE, text=True, timeout=LOOK_SECONDS, check=False
        )
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201  (Slurm's output file)
        return ""
    except subprocess.TimeoutExpired as error:  # the nodes that have answered are not to blame
        print(error, file=sys.stderr)  # noqa: T201  (Slurm's output file)
        return (error.stdout or b"").decode(errors="replace")
    return ended.stdout
