"""A job array: its folder, its manifest and its script.

    RUNS/slurm/NAME/batch.json    the orders, one per element of the array; written before submission
    RUNS/slurm/NAME/script.sh     what is submitted
    RUNS/slurm/NAME/id            the id of the array; missing if the scheduler was killed before
    RUNS/slurm/NAME/3.out         what Slurm and the set-up of element 3 printed
    RUN_DIR/job.json              names the array and the element of a run's latest attempt

NAME is the job's name in Slurm, too, so that an array without an id is found in the queue.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from model.config import Config
from sweep.bootstrap import HERE
from trainer.files import write_json, write_whole
from trainer.processes.worker import Order

if TYPE_CHECKING:
    from sweep.study.slurm_section import Slurm

FOLDER = "slurm"
"""The folder of job arrays in the folder of runs."""
PREFIX = "sweep"
PROBE = f"{PREFIX}-probe"
"""Name of the job that looks at a node."""
NODE = ("-P", str(HERE / "bootstrap.py"), "sweep.executors.slurm.node")
"""Arguments of Python that start the node's side of this executor."""


class Batch(Config):
    """The content of `batch.json`."""

    orders: list[Order]
    notice: int
    """Seconds before the time limit at which Slurm tells a job."""


class JobNote(Config):
    """The content of `job.json`."""

    attempt: int
    batch: str
    """Name of the job array."""
    index: int


class BatchFolder:
    """Paths of a job array."""

    def __init__(self, runs: Path, name: str) -> None:
        self.path = runs / FOLDER / name
        self.name = name
        self.manifest = self.path / "batch.json"
        self.script = self.path / "script.sh"
        self._id = self.path / "id"

    def output(self, index: int) -> Path:
        """The output of an element."""
        return self.path / f"{index}.out"

    def note_id(self, array: int) -> None:
        """Write the id of the submitted array. Raises OSError."""
        write_whole(self._id, f"{array}\n".encode())

    def read_id(self) -> int | None:
        """Return the id of the array; None if it was not noted."""
        try:
            return int(self._id.read_text())
        except (OSError, ValueError):
            return None

    def last_output(self, index: int) -> str:
        """Return the last line that Slurm, or the set-up, printed for an element."""
        try:
            lines = self.output(index).read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip() if lines else ""


def new_name(study: str) -> str:
    """Return a name for a job array that no other one has: `sweep-STUDY-1a2b3c4d`."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", study)[:64]
    return f"{PREFIX}-{plain}-{os.urandom(4).hex()}"


def write_batch(folder: BatchFolder, orders: Sequence[Order], slurm: Slurm, gres: str) -> None:
    """Write manifest and script, and note the array in each run directory. Raises OSError.

    All orders are for the same number of nodes.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    manifest = Batch(orders=list(orders), notice=slurm.notice)
    write_json(folder.manifest, manifest.model_dump(mode="json", exclude_defaults=True))
    limit = f"%{slurm.running}" if slurm.running else ""
    options = [
        f"--array=0-{len(orders) - 1}{limit}",
        *_options(folder, slurm),
        *resources(slurm, gres, orders[0].nodes),
    ]
    command = [str(folder.manifest)]
    write_whole(folder.script, script(options, slurm, command).encode())
    for index, order in enumerate(orders):
        note = JobNote(attempt=order.attempt, batch=folder.name, index=index)
        write_json(order.directory / "job.json", note.model_dump(), durable=False)


def script(options: Sequence[str], slurm: Slurm, arguments: Sequence[str]) -> str:
    """Return a script that starts the node's side of this executor."""
    command = [slurm.python or sys.executable, *NODE, *arguments]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in options),
        *slurm.setup,
        f"exec {shlex.join(command)}",
    ]
    return "\n".join(lines) + "\n"


def resources(slurm: Slurm, gres: str, nodes: int = 1, most: int = 1) -> list[str]:
    """Return the options of sbatch that say what a job needs; memory, cores and `gres` on each node.

    `most`: nodes that it takes if so many are free at once; it does not wait for more than `nodes`.
    """
    given = {
        "partition": slurm.partition,
        "account": slurm.account,
        "qos": slurm.qos,
        "mem": slurm.memory,
        "cpus-per-task": slurm.cpus,
        "gres": gres or None,
        "constraint": slurm.constraint,
    }
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    if most > nodes:  # with a number of tasks, Slurm would take no more nodes than those need
        return [f"--nodes={nodes}-{most}", *options, *slurm.options]
    each = ["--ntasks-per-node=1"] if nodes > 1 else []
    return [f"--nodes={nodes}", f"--ntasks={nodes}", *each, *options, *slurm.options]


def _options(folder: BatchFolder, slurm: Slurm) -> list[str]:
    time = [f"--time={slurm.time}"] if slurm.time else []
    return [
        *naming(folder),
        "--requeue" if slurm.requeue else "--no-requeue",
        f"--signal=B:TERM@{slurm.notice}",
        *time,
    ]


def naming(folder: BatchFolder) -> list[str]:
    """Return the options of sbatch that say what a job is called, and where it prints."""
    output = str(folder.path).replace("%", "%%").replace('"', '\\"')
    return [f"--job-name={folder.name}", f'--output="{output}/%a.out"', "--open-mode=append"]


def read_note(directory: Path) -> JobNote | None:
    """Return the job of a run's latest attempt; None if none was submitted."""
    try:
        return JobNote.model_validate_json((directory / "job.json").read_bytes())
    except (OSError, ValidationError):
        return None
