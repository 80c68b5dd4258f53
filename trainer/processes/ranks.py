"""One process per rank of a run, and one that supervises them. No torch here."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType

from trainer.errors import ExecutionSettingError
from trainer.processes import start_method
from trainer.rundir.exits import Exit
from trainer.scripts.descendants import set_death_signal


def run_ranks(size: int, train: Callable[[int], int], should_stop: Callable[[], bool]) -> int:
    """Fork `size` processes that exit with `train(rank)`; returns the first status that is not 0.

    SIGTERM is passed on to them, even if it arrived before the fork. When one process fails, the
    others are killed, because they would wait for it for ever. The GPU must not have been touched.
    Raises ExecutionSettingError where a fork is not safe.
    """
    if start_method.SPAWNS:
        raise ExecutionSettingError(
            f"jobs.gpus_per_run = {size} needs forks of a process that has imported torch, which are "
            "not safe on macOS; set jobs.gpus_per_run = 1"
        )
    # SIGTERM is blocked until it can be passed on, and in a rank until StopSignal handles it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    ranks = [_fork(rank, train) for rank in range(size)]
    left = set(ranks)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        _send(left, number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    if should_stop():  # it arrived before the fork
        _send(left, signal.SIGTERM)
    failed = 0
    while left:
        pid, status = os.wait()
        left.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        if code and not failed:
            failed = code if code > 0 else Exit.FAILED
            if code < 0:
                _log_signal(ranks.index(pid), -code)
            _send(left, signal.SIGTERM if code == 128 + signal.SIGTERM else signal.SIGKILL)
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


def _log_signal(rank: int, number: int) -> None:
    name = signal.Signals(number).name
    print(f"process {rank} of this run was ended by signal {number} ({name})", file=sys.stderr)  # noqa: T201  (the log)


def _send(pids: set[int], number: int) -> None:
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
