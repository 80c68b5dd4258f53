"""One process per rank of a run, and one that supervises them. No torch here."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Sequence
from types import FrameType

from trainer.errors import ExecutionSettingError
from trainer.processes import start_method
from trainer.rundir.exits import Exit
from trainer.scripts.descendants import set_death_signal
from trainer.scripts.group import NodeGroup, signal_words


def run_ranks(
    ranks: Sequence[int],
    train: Callable[[int], int],
    should_stop: Callable[[], bool],
    group: NodeGroup | None = None,
) -> int:
    """Fork a process for each rank, which exits with `train(rank)`; returns the first status that is not 0.

    SIGTERM is passed on to them, even if it arrived before the fork. When one process fails, the
    others are killed, because they would wait for it for ever; so are those of the other nodes of
    `group`, and a failure there ends the ranks here. The GPU must not have been touched.
    Raises ExecutionSettingError where a fork is not safe.
    """
    if start_method.SPAWNS:
        raise ExecutionSettingError(
            f"jobs.gpus_per_run = {len(ranks)} needs forks of a process that has imported torch, which are "
            "not safe on macOS; set jobs.gpus_per_run = 1"
        )
    # SIGTERM is blocked until it can be passed on, and in a rank until StopSignal handles it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    here = {_fork(rank, train): rank for rank in ranks}
    left = set(here)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        _send(left, number)  # a rank that stops makes those of other nodes stop, too

    signal.signal(signal.SIGTERM, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    if should_stop():  # it arrived before the fork
        _send(left, signal.SIGTERM)
    others = group.start_others() if group and group.others else None
    return _watch(here, left, others, group)


def _watch(
    here: dict[int, int], left: set[int], others: int | None, group: NodeGroup | None
) -> int:
    """Wait until all processes have ended; returns the first status that is not 0.

    `here`: the ranks by process; `left`: the processes that are alive, which this keeps up to date.
    `others`: the process that stands for the ranks of all other nodes.
    """
    failed = 0
    remaining = {*here, *([others] if others else [])}
    while remaining:
        pid, status = os.wait()
        left.discard(pid)
        remaining.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        if not code or failed:
            continue
        failed = code if code > 0 else Exit.FAILED
        if pid in here and code < 0:
            _log(f"process {here[pid]} of this run was ended by {signal_words(-code)}")
        elif group and pid == others and code not in set(Exit):
            _log(group.end_of_others(code))
            failed = Exit.FAILED
        stops = code == Exit.STOPPED
        _send(left, signal.SIGTERM if stops else signal.SIGKILL)
        if others in remaining and not stops:
            _send([others], signal.SIGTERM)  # which it takes as an order to kill them
    return failed


def _fork(rank: int, train: Callable[[int], int]) -> int:
    watcher = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status: int = Exit.FAILED
    try:
        die_with_parent(watcher)
        status = train(rank)
    except BaseException:  # noqa: BLE001  (the child must not return into the parent's code)
        traceback.print_exc()
    finally:
        os._exit(status)


def _log(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201  (the log)


def _send(pids: Collection[int], number: int) -> None:
    for pid in tuple(pids):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def die_with_parent(parent: int) -> None:
    """Make the kernel kill this process when `parent` dies (Linux only)."""
    set_death_signal(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(Exit.FAILED)
