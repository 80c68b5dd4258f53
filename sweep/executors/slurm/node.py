"""The node's side: carries out one element of a job array, or looks what nodes have.

    python -P sweep/bootstrap.py sweep.executors.slurm.node RUNS/slurm/NAME/batch.json
    python -P sweep/bootstrap.py sweep.executors.slurm.node --join RUNS/slurm/NAME/batch.json HOST PORT
    python -P sweep/bootstrap.py sweep.executors.slurm.node --facts RUNS/slurm/NAME [--torch]
    python -P sweep/bootstrap.py sweep.executors.slurm.node --look RUNS/slurm/NAME [--torch]

A run on several nodes is a job of several nodes. The first one starts the processes of the others by
srun, with `--join`; they meet at its HOST and PORT.

Slurm tells a job by SIGTERM that it is about to be stopped. The run then writes a checkpoint, and the
job asks to be queued again, unless Slurm does that itself (preemption) or ends it (scancel). No end is
written in these cases: what is in the queue goes on, and the scheduler sees what is not. If Slurm does
not queue it again, an end is written.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from sweep.executors.slurm.batch import NODE, Batch, BatchFolder, read_note
from trainer.files import write_json
from trainer.processes.worker import Order, carry_out, exit_status, join_in
from trainer.rundir.attempt_end import AttemptEnd, read_end, write_end
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.scripts.environment import free_port
from trainer.scripts.group import NodeGroup

FACTS = "facts.json"
SRUN_FAILED = 70
"""Exit status of an srun that could not start what it was to start; no run ends with it."""
SLOW_SECONDS = 60
"""Seconds that may pass between Slurm's notice and the end of a run that stops at its next step."""


def main() -> int:
    """Carry out what the command line and Slurm's variables say; returns the exit status."""
    if sys.argv[1] in {"--facts", "--look"}:
        return _look(Path(sys.argv[2]))
    if sys.argv[1] == "--join":
        return _join(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    manifest = Path(sys.argv[1])
    batch = Batch.model_validate_json(manifest.read_bytes())
    order = own_order(batch, manifest)
    directory = RunDirectory(order.directory)
    if read_end(directory, order.attempt):  # queued again, although it had ended
        return 0
    note = read_note(order.directory)
    if note and note.attempt == order.attempt and note.batch != manifest.parent.name:
        return 0  # submitted again, because sbatch had failed although Slurm took this array
    end = carry_out(with_others(order, manifest))
    last = _after_notice(directory, end, batch.notice + SLOW_SECONDS) if end.noticed else end
    if last:
        _write(directory, last)
    return exit_status(last or end)


def _look(folder: Path) -> int:
    """Write what the nodes of this job have, or print what this node has; returns the exit status."""
    from sweep.executors.slurm.look import look, look_at_all  # (no run needs it)

    with_torch = "--torch" in sys.argv
    if sys.argv[1] == "--facts":
        found = look_at_all(folder, with_torch=with_torch)
        write_json(folder / FACTS, found.model_dump(mode="json"))
    else:
        print(look(folder, with_torch=with_torch).model_dump_json())  # noqa: T201  (the answer)
    return 0


def own_order(batch: Batch, manifest: Path) -> Order:
    """Return the order of this element of the array."""
    array, index = os.environ["SLURM_ARRAY_JOB_ID"], int(os.environ["SLURM_ARRAY_TASK_ID"])
    order = batch.orders[index]
    output = BatchFolder(manifest.parents[2], manifest.parent.name).output(index)
    cores = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE") or "1"
    return order.model_copy(
        update={
            "job": f"Slurm job {array}_{index}",
            "output": str(output),
            "threads": order.threads or int(cores),
        }
    )


def with_others(order: Order, manifest: Path) -> Order:
    """Return the order of the first node of a job, with what the others are started by."""
    if order.nodes == 1:
        return order
    from sweep.executors.slurm.look import on_others  # (a run on one node does not need it)

    host, others = socket.gethostname(), order.nodes - 1
    port, log = free_port(), RunDirectory(order.directory.resolve()).log
    pattern = str(log).replace("%", "%%")
    command = [
        *on_others(others, str(order.threads)),
        *("--kill-on-bad-exit=1", "--quiet", "--open-mode=append"),
        *(f"--output={pattern}", f"--error={pattern}"),
        *(sys.executable, *NODE, "--join", str(manifest), host, str(port)),
    ]
    group = NodeGroup(
        address=host,
        port=port,
        nodes=order.nodes,
        name=_node_name(),
        others=command,
        output=order.output,
    )
    environment = {**order.environment, "SLURM_EXIT_ERROR": str(SRUN_FAILED)}
    return order.model_copy(update={"group": group, "environment": environment})


def _join(manifest: Path, host: str, port: int) -> int:
    """Train on a further node of a job; returns the exit status."""
    order = own_order(Batch.model_validate_json(manifest.read_bytes()), manifest)
    rank = int(os.environ["SLURM_PROCID"]) + 1
    group = NodeGroup(address=host, port=port, nodes=order.nodes, rank=rank, name=_node_name())
    return join_in(order.model_copy(update={"group": group}))


def _node_name() -> str:
    """This node's name in Slurm."""
    return os.environ.get("SLURMD_NODENAME", "")


def _write(directory: RunDirectory, end: AttemptEnd) -> None:
    if end.problem:
        print(end.problem, file=sys.stderr, flush=True)  # noqa: T201  (Slurm's output file)
    with contextlib.suppress(OSError):  # the disk is full, or the node does not see the directory
        write_end(directory, end)


def _after_notice(directory: RunDirectory, end: AttemptEnd, due: float) -> AttemptEnd | None:
    """Ask to be queued again. Returns the end to write; None if the job goes on, or Slurm ends it.

    That is the end of a script that has reached the time limit, or of a job that Slurm does not queue
    again (`requeue = false`): the scheduler then submits the run anew.
    `due`: seconds before the limit from which on it is the reason for the notice.
    """
    job = os.environ["SLURM_JOB_ID"]
    said = _slurm("squeue", "--noheader", f"--jobs={job}", "--format=%T|%L") or ""
    state, _, left = said.partition("|")
    if state.strip() != "RUNNING":  # preempted, or cancelled
        return None
    if directory.script.exists() and _seconds(left.strip()) <= due:
        # Only a script knows whether it goes on where it was. If not, it would never end.
        _log(directory, "stopped at the time limit of Slurm; raise jobs.slurm.time")
        return end.model_copy(update={"status": int(Exit.FAILED), "noticed": False})
    return end if _slurm("scontrol", "requeue", job) is None else None


def _slurm(*command: str) -> str | None:
    """Run a command of Slurm; returns what it printed, None if it failed."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  (no shell)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if ended.returncode else ended.stdout.strip()


def _seconds(left: str) -> float:
    """Seconds of a duration as squeue prints it: `1-02:03:04`, `2:03`; infinite for other words."""
    days, _, rest = left.rpartition("-")
    parts = rest.split(":")
    if not all(part.isdigit() for part in parts) or (days and not days.isdigit()):
        return float("inf")
    seconds = 0
    for part in parts:
        seconds = 60 * seconds + int(part)
    return seconds + 86_400 * int(days or 0)


def _log(directory: RunDirectory, line: str) -> None:
    with contextlib.suppress(OSError), directory.log.open("a") as file:
        file.write(line + "\n")
