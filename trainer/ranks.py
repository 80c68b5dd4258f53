"""One process for each rank of a run, and one that watches over them."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from types import FrameType

EXIT_CRASHED = 1


def run_ranks(size: int, train: Callable[[int], int]) -> int:
    """Fork `size` processes that each return `train(rank)` as exit status; the first that is not 0.

    A signal to end is passed on; when one process fails, the others are killed, since they would
    wait for it for ever. No process may have touched a GPU before.
    """
    ranks = [_fork(rank, train) for rank in range(size)]

    def pass_on(number: int, _frame: FrameType | None) -> None:
        _send(ranks, number)

    signal.signal(signal.SIGTERM, pass_on)
    failed = 0
    left = set(ranks)
    while left:
        pid, status = os.wait()
        left.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        if code and not failed:
            failed = code if code > 0 else EXIT_CRASHED
            _send(left, signal.SIGTERM if code == 128 + signal.SIGTERM else signal.SIGKILL)
    return failed


def _fork(rank: int, train: Callable[[int], int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = EXIT_CRASHED
    try:
        status = train(rank)
    except BaseException:  # noqa: BLE001  (nothing may return into the parent's code)
        traceback.print_exc()
    finally:
        os._exit(status)


def _send(pids: list[int] | set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
