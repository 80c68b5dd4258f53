"""The words before a script: torchrun and accelerate get the run's GPUs and a port of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sweep.drafting.command_line import CommandLine
from trainer.scripts.placeholders import escape

_PROCESSES = re.compile(r"--(nproc[_-]per[_-]node|num[_-]processes|num[_-]gpus)(=(.*))?")
_PORT = re.compile(r"--(master[_-]port|main[_-]process[_-]port)(=.*)?")
_LAUNCHERS = (
    "torchrun",
    "torch.distributed.run",
    "torch.distributed.launch",
    "accelerate",
    "deepspeed",
)


@dataclass(frozen=True)
class Launch:
    """The words of a command up to its script."""

    words: tuple[str, ...]
    """With placeholders."""
    gpus: int | None = None
    """GPUs or processes per run, if a launcher names their number."""


def read_launcher(line: CommandLine) -> Launch:
    """The words up to the script; launchers of several processes get `{gpus}` and `{port}`."""
    words = [escape(word) for word in line.launcher]
    launcher = next((each for each in words if each.rpartition("/")[2] in _LAUNCHERS), None)
    if launcher is None:
        return Launch(tuple(words))
    gpus = None
    for position, word in enumerate(words):
        if found := _PROCESSES.fullmatch(word):
            number = found[3] if found[2] else words[position + 1]
            if number.isdigit():
                gpus = int(number)
                words[position : position + (1 if found[2] else 2)] = [f"--{found[1]}={{gpus}}"]
                break
    port = next((number for number, word in enumerate(words) if _PORT.fullmatch(word)), None)
    if port is not None:
        name, joined, _ = words[port].partition("=")
        words[port : port + (1 if joined else 2)] = [f"{name}={{port}}"]
    elif "--standalone" not in words:
        flag = "--main_process_port" if launcher.endswith("accelerate") else "--master_port"
        words.insert(_place(words, launcher), f"{flag}={{port}}")
    return Launch(tuple(words), gpus)


def _place(words: list[str], launcher: str) -> int:
    """The position behind a launcher, and behind the `launch` of `accelerate launch`."""
    behind = words.index(launcher) + 1
    return behind + 1 if launcher.endswith("accelerate") else behind
