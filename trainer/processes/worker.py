"""Makes one attempt at a run in the process that a cluster's engine, such as Slurm, starts on a node.

It checks the node, forks a process that trains the run directory as the fork server's do, and returns
how that ended (`trainer.rundir.attempt_end`). Two signals stop the run at its next step, with a
checkpoint: SIGTERM says that the engine takes the node away, SIGUSR2 that the scheduler asks for it.
The run's process dies with this one. Quick to start: only the run's process imports torch.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

from pydantic import Field

from model.config import Config
from trainer.processes.forkserver import RSS_UNIT, become_run
from trainer.processes.node import folder_problem, torch_problem, torch_version
from trainer.processes.oom_kills import OomKillCounter, prefer_as_oom_victim
from trainer.processes.run import train_directory
from trainer.rundir.attempt_end import AttemptEnd, WorkerNote, write_note
from trainer.rundir.directory import REQUESTS, RunDirectory
from trainer.rundir.exits import Exit
from trainer.scripts import descendants
from trainer.scripts.group import NodeGroup

STOP = signal.SIGUSR2
"""Signal by which the scheduler stops a run."""
_FINAL = {Exit.DONE, Exit.TAKEN, Exit.REFUSED}
"""Exit statuses that a notice has nothing to do with. Slurm sends SIGTERM to a script, too, which may
end in any way."""
_AWAITED = {signal.SIGTERM, STOP, signal.SIGCHLD}


class Order(Config):
    """An attempt to make."""

    directory: Path
    """The run directory, whose lock announces the attempt."""
    attempt: int
    device: str = "cpu"
    """A torch device: `cuda` or `cpu`."""
    threads: int | None = None
    """CPU threads; None for as many as torch takes."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Further environment variables of the run."""
    torch: str | None = None
    """The version of torch that the node must have; None if any will do, or none is needed."""
    nodes: int = 1
    """Nodes that train the run together."""
    group: NodeGroup | None = None
    """This node among them; None for one node, and until it is known."""
    job: str = ""
    """The job as its engine names it, for people: `Slurm job 17_3`."""
    output: str | None = None
    """The file with the engine's own output."""


def carry_out(order: Order) -> AttemptEnd:
    """Make an attempt and return how it ended; writes no end. Call it in a process of its own."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    directory = RunDirectory(order.directory)
    if problem := _find_problem(order):
        return _end(order, problem=problem)
    note = WorkerNote(
        attempt=order.attempt, host=socket.gethostname(), job=order.job, output=order.output
    )
    with contextlib.suppress(OSError):  # it is only shown
        write_note(directory, note)
    descendants.become_subreaper()
    kills = OomKillCounter()
    pid = _fork(order)
    noticed, asked = _pass_signals_on(pid)
    _, status, usage = os.wait4(pid, 0)
    descendants.kill_descendants()
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    exited = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    return _end(
        order,
        status=exited,
        signal=number,
        peak_bytes=usage.ru_maxrss * RSS_UNIT,
        out_of_memory=kills.claim() if number == signal.SIGKILL else None,
        noticed=noticed and not asked and exited not in _FINAL,
    )


def _find_problem(order: Order) -> str | None:
    """Return why this node cannot make the attempt."""
    directory = RunDirectory(order.directory)
    if problem := folder_problem(directory.path):
        return problem
    if not directory.is_prepared:
        return f"{socket.gethostname()} sees {directory.path}, but no request in it ({', '.join(REQUESTS)})"
    return order.torch and torch_problem(torch_version(), order.torch)


def _end(order: Order, **fields: object) -> AttemptEnd:
    known = {"attempt": order.attempt, "host": socket.gethostname(), "finished": time.time()}
    return AttemptEnd.model_validate(known | fields)


def _fork(order: Order) -> int:
    """Start the process that trains; returns its id."""
    worker, pid = os.getpid(), os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED - {signal.SIGTERM})
        request = {
            "start": str(order.directory),
            "attempt": order.attempt,
            "device": order.device,
            "threads": order.threads,
            "environment": order.environment,
            "group": order.group and order.group.model_dump(),
        }
        become_run(request, worker)
    return pid


def _pass_signals_on(pid: int) -> tuple[bool, bool]:
    """Wait until a child has ended; returns whether the engine and the scheduler asked it to stop."""
    received = set[int]()
    while True:
        number = signal.sigwait(_AWAITED)
        if number == signal.SIGCHLD:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return signal.SIGTERM in received, STOP in received
            continue
        received.add(number)
        os.kill(pid, signal.SIGTERM)


def join_in(order: Order) -> int:
    """Train on this node for the first one, which has the run's lock; returns an exit status.

    Words go to standard error, which the engine brings to the run's log.
    """
    if problem := _find_problem(order):
        print(problem, file=sys.stderr)  # noqa: T201  (the log)
        return Exit.FAILED
    os.environ.update(order.environment)
    prefer_as_oom_victim()
    place = order.device, order.threads
    return train_directory(order.directory, *place, order.attempt, order.group)


def exit_status(end: AttemptEnd) -> int:
    """The status for a worker to exit with, so that the engine's own tools show a failure."""
    if end.problem:
        return Exit.REFUSED
    return 128 + end.signal if end.signal else end.status or 0
