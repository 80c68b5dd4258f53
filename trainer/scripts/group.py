"""The nodes of a cluster that train one run together, and the variables that torchrun sets.

One process of ours on each node forks that node's ranks. The first node has the run's lock and writes
its files; the others only train. Light to import: no torch here.
"""

from __future__ import annotations

from pydantic import Field

from model.config import Config, Count


class NodeGroup(Config):
    """One of the nodes that train a run together."""

    address: str
    """Name or address of the first node."""
    port: int
    """A TCP port there, at which all ranks meet."""
    nodes: Count
    rank: int = 0
    """Number of this node, from 0."""
    others: list[str] = Field(default_factory=list)
    """The command that starts the ranks of all other nodes and ends when they have ended; empty if
    the engine starts them."""
    output: str | None = None
    """File for what that command itself prints."""

    def ranks(self, size: int) -> range:
        """The ranks of this node, when all nodes together have `size`."""
        each = size // self.nodes
        return range(self.rank * each, (self.rank + 1) * each)

    def variables(self, rank: int, size: int) -> dict[str, str]:
        """The environment of a rank: see https://docs.pytorch.org/docs/stable/elastic/run.html."""
        each = size // self.nodes
        numbers = {
            "MASTER_PORT": self.port,
            "RANK": rank,
            "WORLD_SIZE": size,
            "LOCAL_RANK": rank % each,
            "LOCAL_WORLD_SIZE": each,
            "GROUP_RANK": self.rank,
            "GROUP_WORLD_SIZE": self.nodes,
        }
        return {"MASTER_ADDR": self.address, **{key: str(value) for key, value in numbers.items()}}
