"""Checks of the nodes of a Ray cluster: by a probe that runs there before any run does."""

from __future__ import annotations

import contextlib
import platform
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sweep.bootstrap import FOLDERS
from sweep.executors.ray import actor as ray_actor
from sweep.executors.ray.messages import NodeAnswer
from sweep.executors.ray.places import ClusterNode
from sweep.executors.ray.settings import RaySettings
from trainer.processes.node import NodeFacts, compare, not_shared, torch_version

PROBE_SECONDS = 120.0
"""Seconds in which a node must answer. Its first process takes seconds to start."""

UNKNOWN_SECONDS = 60.0
"""Seconds in which all of Ray must know that a node has come or gone."""


def find_mistakes(settings: RaySettings, nodes: Sequence[ClusterNode]) -> dict[str, str]:
    """Return what prevents nodes from training, in sentences by the node's id.

    Nothing does for one that leaves the cluster meanwhile: it gets no run. Takes seconds at a node that was never asked. Safe in any thread.
    """
    import ray

    code = str(FOLDERS["sweep"])
    remote = ray.remote(num_cpus=0, max_retries=0)(ray_actor.probe)
    found = {}
    with _token(Path(settings.folder)) as token:
        sent = time.time()
        asked = {node: partial(_on(remote, node), code, str(token)) for node in nodes}
        references = [(node, ask, ask()) for node, ask in asked.items()]
        for node, ask, reference in references:
            try:
                answer = _answer(node, reference, ask)
            except ray.exceptions.RayError as error:
                found[node.id] = f"{node.address} does not answer: {one_line(error)}"
                continue
            if answer and (wrong := mistake(answer, settings, code, (sent, time.time()))):
                found[node.id] = f"{node.address} cannot be used: {wrong}"
    return found


def _on(remote: Any, node: ClusterNode) -> Callable[..., Any]:  # noqa: ANN401  (of Ray)
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node.id, soft=False)
    return remote.options(scheduling_strategy=there).remote  # type: ignore[no-any-return]


def _answer(
    node: ClusterNode,
    reference: Any,  # noqa: ANN401  (of Ray)
    ask_again: Callable[[], Any],
) -> NodeAnswer | None:
    """What a node answers; None if it has left the cluster. Raises RayError.

    Ray lists a node that has just joined before all of Ray knows it, and one that is dead until it has
    noticed that: both are asked again for a while.
    """
    import ray

    began = time.monotonic()
    while True:
        try:
            return NodeAnswer(**ray.get(reference, timeout=PROBE_SECONDS))
        except ray.exceptions.TaskUnschedulableError:
            listed = {each["NodeID"] for each in ray.nodes() if each["Alive"]}
            if node.id not in listed:
                return None
            if time.monotonic() - began > UNKNOWN_SECONDS:
                raise
            time.sleep(1.0)
            reference = ask_again()


def mistake(
    found: NodeAnswer, settings: RaySettings, code: str, between: tuple[float, float]
) -> str | None:
    """Say what prevents a node from training, in a sentence; None if nothing does.

    `between`: the times on this machine between which the node looked at its clock.
    """
    here = NodeFacts(
        host=socket.gethostname(),
        python=platform.python_version(),
        torch=torch_version(),
        executable=sys.executable,
        ahead=0.0,
    )
    sent, received = between
    there = NodeFacts(
        host=found.host,
        python=found.python,
        torch=found.torch,
        executable=found.executable,
        ahead=max(0.0, found.clock - received) - max(0.0, sent - found.clock),
    )
    return (
        _unseen(found, settings, code)
        or _missing(found, settings)
        or compare(there, here, needs_torch=settings.needs_torch)
    )


def _unseen(found: NodeAnswer, settings: RaySettings, code: str) -> str | None:
    if settings.node_folder is not None:
        return None
    if not found.sees_folder or not found.can_write:
        return not_shared(found.host, settings.folder, is_seen=found.sees_folder)
    if not found.sees_code:
        return (
            f"{found.host} does not see sweep itself, {code}; install it on a disk that all nodes "
            "share"
        )
    return None


def _missing(found: NodeAnswer, settings: RaySettings) -> str | None:
    if found.python != platform.python_version():
        return (
            f"{found.host} has Python {found.python}, and this machine has "
            f"{platform.python_version()}; use one version on both"
        )
    if settings.needs_torch and found.missing:
        return (
            f"{found.host} lacks {', '.join(found.missing)}; install gpt-sweep for "
            f"{found.executable} there"
        )
    return None


@contextlib.contextmanager
def _token(folder: Path) -> Iterator[Path]:
    """A file in the folder of runs: only a node that shares the disk sees it."""
    token = folder / f".ray-probe-{secrets.token_hex(4)}"
    token.touch()
    try:
        yield token
    finally:
        token.unlink(missing_ok=True)


def one_line(error: BaseException) -> str:
    """Ray's words on one line, without a full stop."""
    return " ".join(str(error).split())[:400].rstrip(".")
