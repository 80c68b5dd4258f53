"""What fits on a Ray cluster, and which of its nodes can train: without a cluster."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from sweep.executors.ray.checks import mistake
from sweep.executors.ray.connection import ConnectionFailedError, check_address
from sweep.executors.ray.messages import NodeAnswer
from sweep.executors.ray.places import ClusterNode, Need, need_of, unplaceable, waiting_words
from sweep.executors.ray.settings import RaySettings
from sweep.study.ray_section import Ray

SETTINGS = RaySettings(address="auto", folder="/runs")
BOX = ClusterNode("a", "10.0.0.1", {"CPU": 16, "GPU": 2}, {"CPU": 4, "GPU": 0.5})
SMALL = ClusterNode("b", "10.0.0.2", {"CPU": 2, "GPU": 1}, {"CPU": 2, "GPU": 1})


def need(
    gpus: float, cpus: float = 1, nodes: int = 1, *, on: ClusterNode = BOX, **others: float
) -> Need:
    """What a run needs with these settings, on a cluster that has such a node."""
    given = {
        "gpus_per_run": gpus,
        "cpus_per_run": cpus,
        "nodes_per_run": nodes,
        "resources": others,
    }
    return need_of(replace(SETTINGS, **given), [on])  # type: ignore[arg-type]


ANSWER = NodeAnswer(
    host="b",
    python=platform.python_version(),
    torch=version("torch"),
    executable="/usr/bin/python3",
    missing=[],
    sees_code=True,
    sees_folder=True,
    can_write=True,
    clock=1000.0,
)
"""Of a node that has all that it takes."""


@pytest.mark.parametrize(
    ("needed", "runs"),
    [
        (need(0.25), 8),
        (need(1), 2),
        (need(2), 1),
        (need(4), 0),
        (need(4, nodes=2), 1),
        (need(1, 16), 1),
        (need(4, 2, on=ClusterNode("c", "10.0.0.3", {"CPU": 16})), 2),
        (need(1, H100=0.001), 0),
    ],
)
def test_runs_that_fit_on_a_node_are_counted_by_their_scarcest_resource(
    needed: Need, runs: int
) -> None:
    assert needed.fits(BOX.total) == runs


@pytest.mark.parametrize(
    ("nodes", "rooms", "runs"),
    [(1, [2, 1, 0], 3), (2, [2, 1, 0], 1), (2, [4, 1, 1], 2), (2, [4, 0], 0), (3, [2, 2, 1, 1], 2)],
)
def test_a_run_on_several_nodes_has_room_where_it_has_room_on_so_many(
    nodes: int, rooms: list[int], runs: int
) -> None:
    assert need(nodes, nodes=nodes).runs({"GPU": room, "CPU": 8} for room in rooms) == runs


def test_a_run_that_no_node_has_room_for_is_refused_with_what_there_is() -> None:
    assert unplaceable(need(2), [BOX]) is None
    assert unplaceable(need(4), [BOX]) == (
        "a run needs 4 GPUs and 1 CPU on one node, and no node of the Ray cluster has that: "
        "10.0.0.1 has 2 GPUs and 16 CPUs. jobs.gpus_per_run, jobs.ray.cpus_per_run and "
        "jobs.ray.resources say what a run needs"
    )
    assert unplaceable(need(2, nodes=2), [BOX, SMALL]) is None
    assert unplaceable(need(4, nodes=2), [BOX, SMALL]) == (
        "a run needs 2 GPUs and 1 CPU on each of 2 nodes, and only 1 of the nodes of the Ray cluster has that: "
        "10.0.0.1 has 2 GPUs and 16 CPUs; 10.0.0.2 has 1 GPU and 2 CPUs. jobs.gpus_per_run, "
        "jobs.nodes_per_run, jobs.ray.cpus_per_run and jobs.ray.resources say what a run needs"
    )


def test_a_run_that_waits_is_told_what_is_free() -> None:
    assert waiting_words(need(1), [BOX]) == (
        "not started by Ray yet: it needs 1 GPU and 1 CPU, and 10.0.0.1 has 0.5 GPUs and 4 CPUs free"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sees_folder": False}, "b does not see /runs; the folder of runs must be on a disk"),
        ({"can_write": False}, "b cannot write to /runs; the folder of runs"),
        ({"sees_code": False}, "b does not see sweep itself, /code; install it on a disk"),
        ({"python": "3.9.1"}, "b has Python 3.9.1, and this machine has"),
        ({"torch": None, "missing": ["torch", "numba"]}, "b lacks torch, numba; install gpt-sweep"),
        ({"torch": "2.0.0"}, "b has torch 2.0.0 and the scheduler"),
        ({"clock": 700.0}, "are 5 minutes apart"),
        ({"clock": 1200.0}, "are 3 minutes apart"),
    ],
)
def test_a_node_that_cannot_train_is_refused_with_the_reason(
    changes: dict[str, Any], words: str
) -> None:
    assert words in (mistake(replace(ANSWER, **changes), SETTINGS, "/code", (1000.0, 1020.0)) or "")


def test_a_node_may_answer_late_and_a_script_needs_no_torch() -> None:
    assert mistake(replace(ANSWER, clock=1050.0), SETTINGS, "/code", (1000.0, 1020.0)) is None
    script = RaySettings(address="auto", folder="/runs", needs_torch=False)
    without = replace(ANSWER, torch=None, missing=["torch"])
    assert mistake(without, script, "/code", (1000.0, 1020.0)) is None


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "nothing answers at 127.0.0.1:1 (Connection refused); `ray status`"),
        ("ray://10.0.0.1:10001", "--ray-address is HOST:PORT of the cluster's head node"),
        ("10.0.0.1", "--ray-address is HOST:PORT"),
    ],
)
def test_an_address_without_a_cluster_is_refused_at_once(address: str, words: str) -> None:
    with pytest.raises(ConnectionFailedError) as caught:
        check_address(address)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", Ray.model_fields)
def test_the_page_on_clusters_has_the_settings_of_ray(name: str) -> None:
    info = Ray.model_fields[name]
    default = json.dumps(info.get_default(call_default_factory=True))
    expected = f"| `{name}` | `{default}` | {info.description} |"
    assert expected in (Path(__file__).parents[2] / "docs" / "clusters.md").read_text().splitlines()
