"""Placement groups: the resources of a run on each of several nodes, which Ray gives all at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import ray
from ray.util import get_placement_group, placement_group, remove_placement_group
from ray.util.placement_group import placement_group_table
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy


def grouped(
    name: str, options: Mapping[str, Any], amounts: Mapping[str, float], nodes: int
) -> dict[str, Any]:
    """Make a group of some nodes; returns the options of an actor on the first of them.

    `options` are those of an actor on each node, which needs `amounts` of resources by Ray's names.
    The group survives this process, as the actor does, whose name it has.
    """
    alone = dict(options)
    selector = alone.pop("label_selector", None)
    made = placement_group(
        [dict(amounts)] * nodes,
        strategy="STRICT_SPREAD",
        name=name,
        lifetime="detached",
        bundle_label_selector=[selector] * nodes if selector else None,
    )
    first = PlacementGroupSchedulingStrategy(made, placement_group_bundle_index=0)
    return {**alone, "scheduling_strategy": first}


def remove_group(name: str) -> None:
    """Give the resources of a group back to Ray, which ends its actors. Nothing if there is none."""
    try:
        remove_placement_group(get_placement_group(name))
    except ValueError:
        return


def remove_own_group() -> None:
    """Give back the group that this process is in, which ends it. Nothing if it is in none."""
    if group := ray.util.get_current_placement_group():
        remove_placement_group(group)


def is_headless() -> bool:
    """True if the first actor of the group that this process is in has ended."""
    group = placement_group_table(ray.util.get_current_placement_group())
    try:
        ray.get_actor(str(group.get("name")))
    except ValueError:
        return True
    return False


def remove_stale(is_orphan: Callable[[str], bool], actors: Collection[str]) -> None:
    """Remove the groups of this folder of runs whose scheduler and first actor have both ended."""
    for each in placement_group_table().values():
        name = each["name"]
        if each["state"] != "REMOVED" and name not in actors and is_orphan(name):
            remove_group(name)
