"""What is sent to the nodes of a Ray cluster: the actor that holds a run's resources, and a probe.

Ray sends this module to the nodes by its content. So it imports nothing of ours at its top: a node
may have another version of our packages, or none. The actor imports them from a folder it is told.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import platform
import socket
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numba", "numpy", "pydantic", "safetensors", "tokenizers", "tiktoken")
"""Packages that a run of the built-in trainer imports."""
THREADS = 8
"""Calls that a `Place` carries out at the same time."""
WAIT_SECONDS = 5.0
"""Seconds that a call to a `Place` waits for the end of a run. Each call is a sign of life."""


class Place:
    """A place for one run at a time: the actor whose resources Ray reserves on a node.

    It runs in a process of its own. Its methods are called in several threads.
    """

    def __init__(self, code: str | tuple[str, bytes, str], settings: dict[str, Any]) -> None:
        """`settings`: those of `sweep.executors.ray.messages.PlaceSettings`.

        `code`: the folder of our packages, or the hash of an archive with them, the archive, and the
        folder on this node to unpack it in.
        """
        claim_names(code if isinstance(code, str) else unpack(*code))
        import ray

        from sweep.executors.ray.messages import PlaceSettings
        from sweep.executors.ray.node import Node

        context = ray.get_runtime_context()
        job = f"Ray actor {context.get_actor_id()}"
        here = {"node": context.get_node_id(), "job": job}
        self._node = Node(PlaceSettings(**(settings | here)))

    def start(self, directory: str, attempt: int, finished: str | None) -> bool:
        """Start a run; False if another driver uses this place. `wait` and `describe` tell the rest."""
        return self._node.start(directory, attempt, finished)

    def join(self, directory: str, attempt: int, group: dict[str, Any]) -> str:
        """Train a run that another place has on this node, too; returns the address of this node.

        `group`: the fields of `trainer.scripts.group.NodeGroup`.
        """
        import ray

        address = str(ray.util.get_node_ip_address())
        self._node.join(directory, attempt, {**group, "name": address})
        return address

    def prepare(self, directory: str, attempt: int, corpus: str | None) -> bool:
        """Make room for a copy of a run directory; returns whether its corpus is here."""
        return self._node.copies.prepare(directory, attempt, corpus)

    def accept(self, name: str, update: Any) -> None:  # noqa: ANN401  (its type is not known here)
        """Write into a copy of a run directory, or of a corpus."""
        self._node.copies.accept(name, update)

    def read(self, directory: str, known: Any) -> object:  # noqa: ANN401  (as above)
        """Return what the scheduler's folder lacks of a run, and the run's last sign of life."""
        return self._node.read(directory, known)

    def signal(self, directory: str, number: int) -> None:
        """Send a signal to a run, if it is still running here."""
        self._node.signal(directory, number)

    def wait(self, seconds: float) -> object:
        """Return the state after a run has ended, or after some seconds."""
        return self._node.wait(seconds)

    def forget(self, directory: str) -> None:
        """Forget the end of a run, which the driver has been told."""
        self._node.forget(directory)

    def describe(self) -> object:
        """Return the state at once. Does not count as contact with a driver."""
        return self._node.state()


def unpack(digest: str, archive: bytes, folder: str) -> str:
    """Unpack our packages on the node's own disk, once; returns the folder."""
    home = Path(os.path.expandvars(folder)).expanduser()
    target = home / f"code-{digest[:16]}"
    if not target.exists():
        home.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=home))
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            file.extractall(aside)
        with contextlib.suppress(OSError):  # another actor of this node was faster
            aside.rename(target)
    return str(target)


def claim_names(code: str) -> None:
    """Make `sweep`, `trainer` and `model` mean the packages in a folder, in this process."""
    file = Path(code) / "sweep" / "bootstrap.py"
    spec = importlib.util.spec_from_file_location("sweep_bootstrap", file)
    assert spec  # noqa: S101  (for the type checker: it is a file of Python)
    assert spec.loader  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.claim_names()


def probe(code: str, token: str) -> dict[str, Any]:
    """Return the fields of `sweep.executors.ray.messages.NodeAnswer` for this node."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = None
    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "torch": torch,
        "missing": [name for name in PACKAGES if importlib.util.find_spec(name) is None],
        "sees_code": (Path(code) / "sweep" / "bootstrap.py").is_file(),
        "sees_folder": Path(token).is_file(),
        "can_write": os.access(Path(token).parent, os.W_OK),
        "clock": time.time(),
        "executable": sys.executable,
    }
