"""CUDA MPS: with it, processes that share a GPU compute at the same time, and not by turns.

https://docs.nvidia.com/deploy/mps. One daemon serves all schedulers of a user on a machine: the first
one starts it, and the last one ends it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sweep.executors.slots import Slot
from sweep.machine.processors import VISIBLE
from trainer.files import lock, share_lock
from trainer.sharing import MPS

CONTROL = "nvidia-cuda-mps-control"
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
ANSWER_SECONDS = 20.0
"""Longest time for the daemon to start, to answer or to end."""


class MpsDaemon:
    """A running daemon that this process uses."""

    def __init__(self, program: str, folder: Path | None, descriptor: int | None) -> None:
        """`folder` and `descriptor`: of its pipes and of their lock; None for the user's own daemon."""
        self._program = program
        self._folder = folder
        self._descriptor = descriptor

    @property
    def environment(self) -> dict[str, str]:
        """What a run needs to use it."""
        places = {name: str(self._folder) for name in (PIPES, LOGS)} if self._folder else {}
        return {MPS: "1", **places}

    def stop(self) -> None:
        """Stop using it; ends it if it is ours and no other scheduler uses it."""
        if self._descriptor is None:
            return
        if lock(self._descriptor, wait=False):
            _tell(self._program, "quit", self._folder)
        os.close(self._descriptor)
        self._descriptor = None


def start_mps(slots: Sequence[Slot], folder: Path | None = None) -> MpsDaemon | None:
    """Use CUDA MPS if some slots share a GPU and it can be had; else None.

    A daemon that the user has started is used as it is. `folder`: for the pipes of ours.
    """
    program = shutil.which(CONTROL)
    if program is None or all(slot.share == 1 for slot in slots):
        return None
    if _answers(program, None):
        return MpsDaemon(program, None, None)
    folder = folder or Path(tempfile.gettempdir()) / f"sweep-mps-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            return None
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    share_lock(descriptor)
    if _answers(program, folder) or _start(program, folder):
        return MpsDaemon(program, folder, descriptor)
    os.close(descriptor)
    return None


def with_mps(slots: Sequence[Slot], daemon: MpsDaemon | None) -> list[Slot]:
    """The slots, with the environment that the daemon needs where they share a GPU."""
    if daemon is None:
        return list(slots)
    return [
        replace(slot, environment={**slot.environment, **daemon.environment})
        if slot.share < 1
        else slot
        for slot in slots
    ]


def _start(program: str, folder: Path) -> bool:
    """Start the daemon; True if one answers then, which another scheduler may have started."""
    _run([program, "-d"], "", folder)
    return _answers(program, folder)


def _answers(program: str, folder: Path | None) -> bool:
    return _tell(program, "get_server_list", folder)


def _tell(program: str, command: str, folder: Path | None) -> bool:
    """Give a command to the daemon; False if there is none."""
    return _run([program], f"{command}\n", folder)


def _run(command: Sequence[str], text: str, folder: Path | None) -> bool:
    environment = dict(os.environ)
    if folder:
        environment |= {PIPES: str(folder), LOGS: str(folder)}
        environment.pop(VISIBLE, None)  # the daemon must number all GPUs as its clients do
    try:
        done = subprocess.run(  # noqa: S603  (no shell, fixed arguments)
            command,
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
