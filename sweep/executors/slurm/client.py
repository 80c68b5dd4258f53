"""The commands of Slurm: sbatch, squeue, scancel, sinfo, scontrol and sacct."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from sweep.errors import ExecutionError

TIMEOUT = 60.0
"""Seconds that a command of Slurm may take."""
KEPT_VARIABLES = frozenset({"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_TIME_FORMAT"})
"""Variables that stay if this process itself runs in a job of Slurm. Others would be taken as options."""
PREFIXES = ("SLURM_", "SBATCH_", "SQUEUE_", "SCANCEL_", "SINFO_", "SACCT_")
"""Variables that are not passed on: options of a user, such as to list only jobs that run. sbatch prefers
its own to the options of a script, which are those of the study."""


class SlurmError(ExecutionError):
    """A command of Slurm failed; the message is Slurm's own."""


class Task(NamedTuple):
    """An element of a job array."""

    array: int
    element: int

    def __str__(self) -> str:
        return f"{self.array}_{self.element}"


class Phase(StrEnum):
    """What a job is doing, as far as it matters here."""

    PENDING = "pending"
    RUNNING = "running"
    ENDING = "ending"


_PHASES: Mapping[str, Phase] = {
    **dict.fromkeys(
        ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"), Phase.PENDING
    ),
    **dict.fromkeys(
        ("CONFIGURING", "RESIZING", "SUSPENDED", "STOPPED", "RESV_DEL_HOLD"), Phase.PENDING
    ),
    **dict.fromkeys(("RUNNING", "SIGNALING", "STAGE_OUT"), Phase.RUNNING),
}
"""By the name of the state (squeue(1), "JOB STATE CODES"). All others are ends, or come just before."""


def is_alive(state: str) -> bool:
    """True for a state, by Slurm's name, of a job that waits or runs."""
    return _PHASES.get(state) in {Phase.PENDING, Phase.RUNNING}


@dataclass(frozen=True)
class Queued:
    """A job in Slurm's queue."""

    task: Task
    state: str
    """As Slurm calls it: `PENDING`."""
    reason: str
    """Why it waits, as Slurm calls it: `Priority`."""
    name: str

    @property
    def phase(self) -> Phase:
        """What it is doing."""
        return _PHASES.get(self.state, Phase.ENDING)


@dataclass(frozen=True)
class JobEnd:
    """How a job has ended."""

    state: str
    """As Slurm calls it: `NODE_FAIL`."""
    code: str = ""
    """Exit status and signal of its script as Slurm writes them: `3:0`; empty if unknown."""

    @property
    def words(self) -> str:
        """`FAILED, exit status 3`."""
        status, _, number = self.code.partition(":")
        if number not in {"", "0"}:
            return f"{self.state}, signal {number}"
        return f"{self.state}, exit status {status}" if status not in {"", "0"} else self.state


class Client:
    """Calls the commands of Slurm as this user."""

    def check(self) -> None:
        """Raise ExecutionError if Slurm is not installed here, or its controller does not answer."""
        if shutil.which("sbatch") is None:
            raise ExecutionError(
                "Slurm is not here: the command sbatch was not found in PATH; type this command on a "
                "login node of the cluster, or choose another executor (--executor local)"
            )
        try:
            self.queue()
        except SlurmError as error:
            raise ExecutionError(
                f"Slurm's controller does not answer ({error}); `scontrol ping` shows whether it is up"
            ) from error

    def submit(self, script: Path) -> int:
        """Submit a script; returns the id of the job. Raises SlurmError in Slurm's words."""
        # `id;cluster` on a federation
        return int(_run("sbatch", "--parsable", str(script)).strip().partition(";")[0])

    def has_jobs(self) -> bool:
        """True if this user has a job of any kind in the queue. Raises SlurmError."""
        lines = _run("squeue", "--me", "--noheader", "--format=%i").splitlines()
        return any(line.strip()[:1].isdigit() for line in lines)  # others name a cluster

    def queue(self) -> list[Queued]:
        """Return the array jobs of this user that have not ended. Raises SlurmError."""
        said = _run("squeue", "--me", "--noheader", "--array", "--format=%F|%K|%T|%j|%r")
        return [found for line in said.splitlines() if (found := _queued(line))]

    def partitions(self) -> dict[str, bool]:
        """Return the partitions by name, and whether each has GPUs. Raises SlurmError."""
        found: dict[str, bool] = {}
        for line in _run("sinfo", "--noheader", "--format=%R|%G").splitlines():
            name, _, resources = line.strip().partition("|")
            found[name] = found.get(name, False) or "gpu" in resources
        return found

    def default_partition(self) -> str | None:
        """Return the partition that jobs go to if they name none. Raises SlurmError."""
        for line in _run("sinfo", "--noheader", "--format=%P").splitlines():
            if line.strip().endswith("*"):
                return line.strip().removesuffix("*")
        return None

    def largest_array(self) -> int:
        """Return the largest number of jobs in an array. Raises SlurmError."""
        for line in _run("scontrol", "show", "config").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "MaxArraySize":
                return max(1, int(value))
        return 1

    def cancel(self, tasks: Collection[Task]) -> None:
        """Cancel jobs; those that run are told, and killed after KillWait. Ended ones are ignored.

        Not with `--state=PENDING`: scancel 22.05 then cancels all of the array that waits.
        """
        _scancel(tasks)

    def signal(self, tasks: Collection[Task], name: str, *, to_all: bool = False) -> None:
        """Send a signal to the batch processes of the jobs that run, or to all their processes.

        Without a state, scancel 22.05 sends it and says that it could not, up to ten times.
        """
        whom = "--full" if to_all else "--batch"
        _scancel(tasks, "--state=RUNNING", whom, f"--signal={name.removeprefix('SIG')}")

    def final_state(self, task: Task) -> JobEnd | None:
        """Return how a job has ended; None if Slurm has forgotten it.

        From the accounting, and without one from the controller, which knows it for a few minutes.
        """
        fields = ("--parsable2", "--allocations", "--format=State,ExitCode")
        with contextlib.suppress(SlurmError):
            said = _run("sacct", "--noheader", *fields, f"-j{task}").splitlines()
            if said:
                state, _, code = said[0].partition("|")
                return JobEnd(state.split()[0].rstrip("+"), code)  # `CANCELLED by 0`
        found = _described(task)
        last = found.get("JobState")
        return JobEnd(last.rstrip("+"), found.get("ExitCode", "")) if last else None

    def node_of(self, task: Task) -> str | None:
        """Return the nodes that a job had, by Slurm's names; None if Slurm has forgotten it."""
        nodes = _described(task).get("NodeList", "(null)")
        return None if nodes == "(null)" else nodes


def _queued(line: str) -> Queued | None:
    array, index, state, name, reason = [*line.split("|", 4), *[""] * 4][:5]
    if not (array.isdigit() and index.isdigit()):
        return None
    return Queued(Task(int(array), int(index)), state, reason.strip("()"), name)


def _described(task: Task) -> dict[str, str]:
    """What the controller knows of a job, by Slurm's names; empty if it has forgotten the job."""
    try:
        words = _run("scontrol", "--oneliner", "show", "job", str(task)).split()
    except SlurmError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def _scancel(tasks: Collection[Task], *options: str) -> None:
    if tasks:
        _run("scancel", "--quiet", *options, *map(str, tasks), may_fail=True)


def environment() -> dict[str, str]:
    """The environment of Slurm's commands: that of this process, without options for them."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in KEPT_VARIABLES or not name.startswith(PREFIXES)
    }


def _run(*command: str, may_fail: bool = False) -> str:
    """Run a command of Slurm; returns what it printed. Raises SlurmError with its first error."""
    try:
        ended = subprocess.run(  # noqa: S603  (no shell)
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
            env=environment(),
            start_new_session=True,  # a Ctrl-C at the terminal is for the scheduler alone
        )
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{command[0]} gave no answer for {TIMEOUT:.0f} s") from error
    except OSError as error:
        raise SlurmError(f"{command[0]} cannot be started: {error.strerror}") from error
    if ended.returncode and not may_fail:
        raise SlurmError(_message(command, ended.stderr))
    return ended.stdout


def _message(command: Sequence[str], said: str) -> str:
    """The last line of an error, which is the most specific one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else f"{command[0]} failed and said nothing"
