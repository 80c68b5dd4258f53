"""The process of a command: started in a session of its own, with a pipe for all its output."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Protocol

from trainer.errors import CommandError
from trainer.scripts.environment import find_program

PIPE_BYTES = 2**20
"""Size of the pipe, where the kernel allows it: the script waits less for its reader."""
_CANNOT = {
    errno.ENOEXEC: "it is no program of this machine; the first line of a script must name its "
    "interpreter, such as #!/bin/sh",
    errno.ENOENT: "the interpreter that its first line names does not exist",
    errno.EACCES: "it may not be executed; type `chmod +x` and its path",
    errno.E2BIG: "its arguments are too long; let the script read the file at $SWEEP_PARAMETERS",
}


class Process(Protocol):
    """As much of `subprocess.Popen` as a Command needs."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Exit status, or signal as a negative number; None while it runs."""

    def wait(self) -> int:
        """Wait for its end; returns the same."""


class Forked:
    """A forked process; see `Process`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Exit status, or signal as a negative number; None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end; returns the same."""
        return self._wait(0) or 0

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # it was waited for elsewhere
                pid, status = self.pid, signal.SIGKILL
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class Command:
    """A running command."""

    def __init__(
        self, arguments: Sequence[str], folder: str, environment: Mapping[str, str]
    ) -> None:
        """Start it. Raises CommandError if that is not possible."""
        program = find_program(arguments[0], folder, environment)
        self.output, writing = os.pipe()
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        try:
            self._process: Process = subprocess.Popen(  # noqa: S603  (the user's own command, and no shell)
                [program, *arguments[1:]],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
            )
        except OSError as error:
            os.close(self.output)
            if error.errno not in _CANNOT:
                raise
            raise CommandError(f"{program} cannot be started: {_CANNOT[error.errno]}") from error
        except ValueError as error:  # a NUL character
            os.close(self.output)
            raise CommandError(f"{program} cannot be started: {error}") from error
        finally:
            os.close(writing)
        self.at_end = False
        """True once all processes that can write to the output have closed it."""

    @property
    def status(self) -> int | None:
        """Exit status, or signal as a negative number; None while it runs, as far as is known."""
        return self._process.returncode

    def poll(self) -> int | None:
        """The same, after a look at the process."""
        return self._process.poll()

    def read(self, size: int) -> bytes:
        """Read output; empty at its end."""
        try:
            block = os.read(self.output, size)
        except BlockingIOError:
            return b""
        self.at_end = not block
        return block

    def stop_waiting(self) -> None:
        """Let `read` return nothing when there is nothing to read now."""
        os.set_blocking(self.output, False)

    def send(self, number: int) -> None:
        """Send a signal to its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def close(self) -> None:
        """Kill it, if it still runs."""
        if self._process.poll() is None:
            self.send(signal.SIGKILL)
            self._process.wait()
        os.close(self.output)


def die_by(number: int) -> None:
    """End this process by a signal, without a core dump: the parent sees what ended its script."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError, ValueError):  # SIGKILL has no handler
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
