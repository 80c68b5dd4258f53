"""What a node of a cluster needs to train runs: facts about it, and what keeps it from training."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import sys
import tempfile
import time
from pathlib import Path

from model.config import Config

MAX_CLOCK_DIFFERENCE = 60.0
"""Seconds by which the clocks of two machines may differ."""


class NodeFacts(Config):
    """A node, as it sees itself."""

    host: str
    python: str
    torch: str | None
    """Version of torch; None if it is not installed."""
    executable: str
    """The Python that found this."""
    cuda: bool = False
    """True if torch can use a GPU."""
    ahead: float
    """Seconds by which its clock is ahead of the clock of the file system."""


def torch_version() -> str | None:
    """The version of torch in this Python, without importing it; None if it is not installed."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def find_facts(folder: Path, *, with_torch: bool) -> NodeFacts:
    """Return the facts of this machine; `with_torch` imports torch to look for a GPU.

    `folder` is one that can be written, on the file system of the runs. Raises OSError.
    """
    version = torch_version()
    return NodeFacts(
        host=socket.gethostname(),
        python=platform.python_version(),
        torch=version,
        executable=sys.executable,
        cuda=with_torch and version is not None and _has_cuda(),
        ahead=_clock_difference(folder),
    )


def compare(node: NodeFacts, scheduler: NodeFacts, *, needs_torch: bool) -> str | None:
    """Return why a node cannot train what a scheduler sends, in a sentence; None if it can."""
    if needs_torch and (problem := torch_problem(node.torch, scheduler.torch, node)):
        return problem
    apart = abs(node.ahead - scheduler.ahead)
    if apart > MAX_CLOCK_DIFFERENCE:
        return (
            f"the clocks of {node.host} and {scheduler.host} are {apart / 60:.0f} minutes apart; set "
            "both by NTP (`chronyc makestep`), or times and durations of runs are wrong"
        )
    return None


def torch_problem(there: str | None, here: str | None, node: NodeFacts | None = None) -> str | None:
    """Return why a torch is not the one that is wanted; None if it is."""
    host = node.host if node else socket.gethostname()
    executable = node.executable if node else sys.executable
    if there == here:
        return None
    if there is None:
        return (
            f"{host} has no torch for {executable}: install it there, or start the environment that "
            "has it (`setup` of the executor)"
        )
    return (
        f"{host} has torch {there} and the scheduler {here}: results would differ for another reason "
        "than their arms; install the same version on both"
    )


def folder_problem(folder: Path, host: str | None = None) -> str | None:
    """Return why this machine, which engines call `host`, cannot use a run directory; None if it can."""
    if folder.is_dir() and os.access(folder, os.W_OK):
        return None
    return not_shared(host or socket.gethostname(), folder, is_seen=folder.is_dir())


def not_shared(host: str, folder: Path | str, *, is_seen: bool) -> str:
    """Say that a node does not see a folder that all nodes should share, or cannot write to it."""
    what = "cannot write to" if is_seen else "does not see"
    return (
        f"{host} {what} {folder}; the folder of runs must be on a disk that all nodes share: name one "
        "with --runs"
    )


def _has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _clock_difference(folder: Path) -> float:
    """Seconds by which this machine's clock is ahead of that of a folder's file system."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock-", suffix=".tmp") as probe:
        return time.time() - Path(probe.name).stat().st_mtime
