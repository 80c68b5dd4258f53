"""What a run needs of a Ray cluster, and what the nodes have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


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
    """Resources of one run, all on one node."""

    cpus: float
    gpus: float = 0
    others: Mapping[str, float] = field(default_factory=dict)
    """Custom resources, such as `accelerator_type:H100`."""

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
        """Number of runs that fit into some resources."""
        shares = [
            int(resources.get(name, 0.0) / amount + 1e-6) for name, amount in self.amounts.items()
        ]
        return min(shares, default=0)


def need_of(per_run: float, cpus: float, others: Mapping[str, float], *, gpus: bool) -> Need:
    """What a run needs: `per_run` GPUs where there are any, else as many processes."""
    if gpus:
        return Need(cpus, per_run, others)
    return Need(cpus * max(1, int(per_run)), 0, others)


def unplaceable(need: Need, nodes: Sequence[ClusterNode]) -> str | None:
    """Say that no node is large enough for a run, and what the nodes have; None if one is."""
    if any(need.fits(node.total) for node in nodes):
        return None
    there = "; ".join(f"{node.address} has {_amounts(node.total, need)}" for node in nodes)
    return (
        f"a run needs {_amounts(need.amounts, need)} on one node, and no node of the Ray cluster has "
        f"that: {there or 'it has no nodes'}. jobs.gpus_per_run, jobs.ray.cpus_per_run and "
        "jobs.ray.resources say what a run needs"
    )


def waiting_words(need: Need, nodes: Sequence[ClusterNode]) -> str:
    """Say that a run has not begun, and what the nodes have left for it."""
    free = "; ".join(f"{node.address} has {_amounts(node.free, need)} free" for node in nodes)
    return (
        f"not started by Ray yet: it needs {_amounts(need.amounts, need)}, and "
        f"{free or 'no node is alive'}"
    )


def _amounts(resources: Mapping[str, float], need: Need) -> str:
    """The amounts of the resources that a run needs: `2 GPUs and 8 CPUs`."""
    amounts = [(name, resources.get(name, 0.0)) for name in need.amounts]
    return " and ".join(f"{amount:g} {_name(name, amount)}" for name, amount in amounts)


def _name(name: str, amount: float) -> str:
    return f"{name}s" if name in {"CPU", "GPU"} and amount != 1 else name
