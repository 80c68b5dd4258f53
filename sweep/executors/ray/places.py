"""What a run needs of a Ray cluster, and what the nodes have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sweep.executors.ray.settings import RaySettings


@dataclass(frozen=True, eq=False)
class ClusterNode:
    """A node of a Ray cluster that is alive."""

    id: str
    address: str
    total: Mapping[str, float]
    """Its resources, by Ray's names: `CPU`, `GPU`, custom ones."""
    free: Mapping[str, float] = field(default_factory=dict)
    """Those that no task and no actor holds."""


@dataclass(frozen=True)
class Need:
    """Resources of one run on each of its nodes."""

    cpus: float
    gpus: float = 0
    others: Mapping[str, float] = field(default_factory=dict)
    """Custom resources, such as `accelerator_type:H100`."""
    nodes: int = 1

    @property
    def amounts(self) -> dict[str, float]:
        """By Ray's names, without those that are zero."""
        named = {"GPU": self.gpus, "CPU": self.cpus, **self.others}
        return {name: amount for name, amount in named.items() if amount > 0}

    @property
    def options(self) -> dict[str, object]:
        """As options of a Ray actor."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "resources": dict(self.others)}

    def fits(self, resources: Mapping[str, float]) -> int:
        """Number of runs that have room for their part on a node with some resources."""
        shares = [
            int(resources.get(name, 0.0) / amount + 1e-6) for name, amount in self.amounts.items()
        ]
        return min(shares, default=0)

    def runs(self, free: Iterable[Mapping[str, float]]) -> int:
        """Number of runs that have room at the same time, each on `nodes` different nodes."""
        rooms = [self.fits(resources) for resources in free]
        # A node serves a run once: `runs` of them use at most so many parts of its room.
        most = sum(rooms) // self.nodes
        while most and sum(min(room, most) for room in rooms) < most * self.nodes:
            most -= 1
        return most

    @property
    def where(self) -> str:
        """Where a run needs its resources, for a sentence."""
        return "on one node" if self.nodes == 1 else f"on each of {self.nodes} nodes"


def need_of(settings: RaySettings, nodes: Iterable[ClusterNode]) -> Need:
    """What a run needs on each of its nodes: GPUs if some node has any, else as many processes."""
    per_node = settings.gpus_per_run / settings.nodes_per_run
    cpus, others, number = settings.cpus_per_run, settings.resources, settings.nodes_per_run
    if any(node.total.get("GPU") for node in nodes):
        return Need(cpus, per_node, others, number)
    return Need(cpus * max(1, int(per_node)), 0, others, number)


def unplaceable(need: Need, nodes: Sequence[ClusterNode]) -> str | None:
    """Say that no node, or too few, are large enough for a run, and what they have; else None."""
    large = sum(need.fits(node.total) > 0 for node in nodes)
    if large >= need.nodes:
        return None
    there = "; ".join(f"{node.address} has {_amounts(node.total, need)}" for node in nodes)
    have = "has" if large == 1 else "have"
    found = f"only {large} of the nodes of the Ray cluster {have} that"
    fields = ["gpus_per_run", *(["nodes_per_run"] if need.nodes > 1 else []), "ray.cpus_per_run"]
    return (
        f"a run needs {_amounts(need.amounts, need)} {need.where}, and "
        f"{found if large else 'no node of the Ray cluster has that'}: {there or 'it has no nodes'}. "
        f"{', '.join(f'jobs.{field}' for field in fields)} and jobs.ray.resources say what a run needs"
    )


def waiting_words(need: Need, nodes: Sequence[ClusterNode]) -> str:
    """Say that a run has not begun, and what the nodes have left for it."""
    free = "; ".join(f"{node.address} has {_amounts(node.free, need)} free" for node in nodes)
    where = f" {need.where}" if need.nodes > 1 else ""
    return (
        f"not started by Ray yet: it needs {_amounts(need.amounts, need)}{where}, and "
        f"{free or 'no node is alive'}"
    )


def _amounts(resources: Mapping[str, float], need: Need) -> str:
    """The amounts of the resources that a run needs: `2 GPUs and 8 CPUs`."""
    amounts = [(name, resources.get(name, 0.0)) for name in need.amounts]
    return " and ".join(f"{amount:g} {_name(name, amount)}" for name, amount in amounts)


def _name(name: str, amount: float) -> str:
    return f"{name}s" if name in {"CPU", "GPU"} and amount != 1 else name
