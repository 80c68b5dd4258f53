"""Call a Python function of the user as a run, in a process in which all names are the user's.

The process is forked from one that has imported what takes long, such as torch, and is followed as
that of a command is. What the function reports and returns goes through the files that a script would
write.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import NoReturn

from trainer.rundir.exits import Exit
from trainer.scripts.environment import Outputs, check_folder
from trainer.scripts.processes import Command, Forked
from trainer.scripts.request import ScriptRequest
from trainer.scripts.returned import Report, write_returned
from trainer.scripts.user_names import UserFunction, take_names_back

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1)
"""Signals that the process above handles; for the function's own they do what they usually do."""


class Call(Command):
    """The call of a function, in a process of its own."""

    def __init__(
        self, request: ScriptRequest, outputs: Outputs, environment: Mapping[str, str]
    ) -> None:
        """Start it. Raises CommandError if its folder does not exist."""
        check_folder(request.folder)
        self.at_end = False
        self.output, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(self.output)
            _become_call(writing, request, outputs, dict(environment))
        os.close(writing)
        self._process = Forked(pid)


def _become_call(
    output: int, request: ScriptRequest, outputs: Outputs, environment: dict[str, str]
) -> NoReturn:
    """Call the function in this process, and exit."""
    status: int = Exit.FAILED
    try:
        os.setsid()
        _redirect(output)
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        os.chdir(request.folder)
        status = _call(request, outputs)
    except BaseException as error:  # noqa: BLE001  (the child must not return into its parent's code)
        status = _failed(error)
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()  # noqa: SLF001  (os._exit calls none of them)
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _call(request: ScriptRequest, outputs: Outputs) -> int:
    """Find the function, call it and write what it returns; returns the exit status."""
    kept = take_names_back(request.folder)  # or else Python would forget what this code needs
    found = UserFunction(str(request.function), request.folder).load()
    if isinstance(found, str):
        return _refused(found)
    _use_threads(os.environ.get("OMP_NUM_THREADS"))
    report = Report(outputs.curves, list(request.metrics))
    seeds = list(request.seeds.values())
    seed = seeds[0] if len(seeds) == 1 else dict(request.seeds)
    returned = found(dict(request.parameters), seed, outputs.folder, report)
    source = request.metrics.get(request.primary)
    is_elsewhere = request.primary in report.seen or (
        source is not None and source != type(source)()
    )
    wrong = write_returned(
        returned, outputs.result, None if is_elsewhere else request.primary, request.function or ""
    )
    del kept
    return _refused(wrong) if wrong else Exit.DONE


def _refused(sentence: str) -> int:
    """Print why another call would end the same way."""
    _print_error(sentence)
    return Exit.REFUSED


def _failed(error: BaseException) -> int:
    """Print an exception with its traceback, its sentence last; returns the exit status."""
    if isinstance(error, SystemExit):
        _print_error(f"the function ended its process with sys.exit({error.code!r})")
        return Exit.FAILED
    with contextlib.suppress(BaseException):
        traceback.print_exception(error)
        lines = str(error).strip().splitlines()
        if len(lines) > 1:
            _print_error(f"{type(error).__name__}: {' '.join(lines)}")
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return Exit.OUT_OF_MEMORY
    return Exit.FAILED


def _print_error(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201  (the log)


def _use_threads(number: str | None) -> None:
    """Let torch use some threads: it was imported before the run's environment was known."""
    torch = sys.modules.get("torch")
    set_threads: Callable[[int], None] | None = getattr(torch, "set_num_threads", None)
    if set_threads and number and number.isdigit() and int(number) > 0:
        set_threads(int(number))


def _redirect(output: int) -> None:
    """Let standard output and error be a pipe, line by line."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    if output > 2:
        os.close(output)
    settings = {"encoding": "utf-8", "errors": "backslashreplace", "closefd": False}
    sys.stdout = open(1, "w", buffering=1, **settings)  # type: ignore[call-overload]  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, **settings)  # type: ignore[call-overload]  # noqa: SIM115
