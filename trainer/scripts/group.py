"""The nodes of a cluster that train one run together, and the variables that torchrun sets and reads.

One process of ours on each node starts that node's ranks, or the command of a script. The first node
has the run's lock and writes its files; the others only train. Light to import: no torch here.
"""

from __future__ import annotations

import os
import signal

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
    name: str = ""
    """Name of this node, for people."""
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

    def script_variables(self, size: int) -> dict[str, str]:
        """The environment of a script's command on this node, when all nodes have `size` processes.

        torchrun takes an option that it is not given from the variable that begins with `PET_`. The
        only process of a node is a rank itself.
        """
        each = size // self.nodes
        options = {
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
            "NNODES": str(self.nodes),
            "NODE_RANK": str(self.rank),
            "NPROC_PER_NODE": str(each),
        }
        rank = self.variables(self.rank, size) if each == 1 else {}
        return {**rank, **options, **{f"PET_{name}": value for name, value in options.items()}}

    def start_others(self) -> int:
        """Start the command that starts the ranks of all other nodes; returns its process.

        What it prints itself would hide in the log what the ranks print there.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        output = self.output or os.devnull
        opened = [(os.POSIX_SPAWN_OPEN, descriptor, output, flags, 0o666) for descriptor in (1, 2)]
        return os.posix_spawnp(
            self.others[0], self.others, os.environ, file_actions=opened, setsigmask=[]
        )

    def end_of_others(self, code: int) -> str:
        """Say how that command ended, if not with the status of a rank."""
        number = code - 128 if code > 128 else -code  # as a shell reports a signal
        how = (
            f"by {signal_words(number)}" if number in set(signal.Signals) else f"with status {code}"
        )
        return f"the processes of this run on other nodes ended {how}; {self.output} has what was printed"


def signal_words(number: int) -> str:
    """`signal 9 (SIGKILL)`."""
    return f"signal {number} ({signal.Signals(number).name})"
