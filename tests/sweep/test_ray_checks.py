"""The probe of Ray's nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import pytest

from sweep.executors.ray import checks
from sweep.executors.ray.messages import NodeAnswer
from sweep.executors.ray.places import ClusterNode

ray = pytest.importorskip("ray")
ANSWER: dict[str, Any] = {field.name: None for field in fields(NodeAnswer)}


NODE = ClusterNode(id="a", address="n1", total={}, free={})


class Unsettled:
    """A Ray that knows a node only when it is asked for the third time."""

    def __init__(self, *, alive: bool) -> None:
        self.asked = 0
        self.listed = [{"NodeID": "a", "Alive": alive}]

    def ask(self) -> int:
        self.asked += 1
        return self.asked

    def get(self, reference: int, **_settings: float) -> dict[str, Any]:
        if reference < 3:
            raise ray.exceptions.TaskUnschedulableError("the node is not there")
        return ANSWER


@pytest.fixture
def unsettled(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Unsettled]:
    def make(*, alive: bool) -> Unsettled:
        made = Unsettled(alive=alive)
        monkeypatch.setattr(ray, "get", made.get)
        monkeypatch.setattr(ray, "nodes", lambda: made.listed)
        monkeypatch.setattr(checks.time, "sleep", lambda _seconds: None)
        return made

    return make


def test_a_node_that_is_listed_before_all_of_ray_knows_it_is_asked_again(
    unsettled: Callable[..., Unsettled], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = unsettled(alive=True)
    answer = checks._answer(NODE, cluster.ask(), cluster.ask)
    assert answer
    assert (asdict(answer), cluster.asked) == (ANSWER, 3)
    monkeypatch.setattr(checks, "UNKNOWN_SECONDS", -1.0)
    with pytest.raises(ray.exceptions.TaskUnschedulableError):
        checks._answer(NODE, 0, cluster.ask)


def test_a_node_that_has_left_the_cluster_is_no_mistake(
    unsettled: Callable[..., Unsettled],
) -> None:
    cluster = unsettled(alive=False)
    assert checks._answer(NODE, cluster.ask(), cluster.ask) is None
