"""Commands in forked children of a process that has imported all that commands use already.

A command takes a second to import what it needs, its fork server five, and a test run starts
hundreds of them. Each child is a process of its own with its own arguments, folder, environment and
output; only the imports are shared. Tests of imports and terminals start real commands instead.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import math
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Self

from tests.forked_command import ForkedCommand, start_command
from tests.imported_ahead import import_ahead
from tests.process_title import TITLE, set_title

LONGEST = 2**20
"""Bytes of a request, at most."""


class Zygote:
    """Starts the process when the first command is run."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="zygote-")
        self.address = str(Path(self.folder.name) / "socket")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            with self.process:
                self.process.kill()
        self.folder.cleanup()

    def run(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `sweep WORDS` in a folder, as subprocess.run does with captured text."""
        return self.start(words, folder, environment).finish(["sweep", *words], timeout)

    def run_script(
        self, script: Path, words: Sequence[str], folder: Path, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of Python in a folder, with our packages and torch imported already."""
        command = self.start(words, folder, os.environ, script=script)
        return command.finish([str(script), *words], timeout)

    def start(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        merged: bool = False,
        constants: Mapping[str, object] | None = None,
        script: Path | None = None,
        output: IO[bytes] | None = None,
    ) -> ForkedCommand:
        """Start `sweep WORDS`, in a session of its own, with standard error in its output or apart.

        `constants` are values of constants of our modules: `{"sweep.queue.leases.LEASE_SECONDS": 2}`.
        A `script` is run in place of `sweep`; `output` is a file for both outputs.
        """
        self._start_process(environment)
        request = {
            "words": list(words),
            "folder": str(folder),
            "environment": dict(environment),
            "constants": dict(constants or {}),
            "script": str(script or ""),
        }
        return start_command(self.address, request, merged=merged, output=output)

    def _start_process(self, environment: Mapping[str, str]) -> None:
        if self.process is not None:
            return
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.zygote", self.address, " " * TITLE],
            env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout
        with self.process.stdout as said:
            assert said.readline() == b"ready\n"


def serve(address: str) -> None:
    """Import the command line and fork a child for each request, until the tests are gone."""
    import_ahead()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(address)
        server.listen(100)
        print("ready", flush=True)  # noqa: T201
        while server in select.select([server, sys.stdin], [], [])[0]:
            link, _ = server.accept()
            if os.fork() == 0:
                server.close()
                answer(link)
            link.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass


def answer(link: socket.socket) -> None:
    """Run the command in another child, and answer with its process id and its exit status.

    It is killed if the test is gone, because then nothing else would end it.
    """
    received, files, _, _ = socket.recv_fds(link, LONGEST, 2)
    child = os.fork()
    if child == 0:
        link.close()
        command(json.loads(received), files)
    for file in files:
        os.close(file)
    link.send(str(child).encode())
    threading.Thread(target=kill_at_hangup, args=(link, child), daemon=True).start()
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(BrokenPipeError):
        link.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def kill_at_hangup(link: socket.socket, child: int) -> None:
    """Kill a process once the other end of a connection, which sends nothing, is closed."""
    link.recv(1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def command(request: Mapping[str, Any], files: Sequence[int]) -> None:
    """Become the command: its session, folder, environment, output, and arguments."""
    os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    tempfile.tempdir = None
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, file in zip((1, 2), files, strict=True):
        os.dup2(file, number)
        os.close(file)
    sys.stdout = TextIOWrapper(os.fdopen(1, "wb", closefd=False), encoding="utf-8")
    sys.stderr = TextIOWrapper(
        os.fdopen(2, "wb", closefd=False), encoding="utf-8", line_buffering=True
    )
    sys.argv = [request["script"] or "sweep", *request["words"]]
    set_title(shlex.join(sys.argv))
    for name, value in request["constants"].items():
        module, _, constant = name.rpartition(".")
        assert hasattr(importlib.import_module(module), constant)
        setattr(sys.modules[module], constant, value)
    from sweep.__main__ import main  # noqa: PLC0415  (in the process of the command)
    from sweep.executors import fork_server  # noqa: PLC0415
    from sweep.models import torch_child  # noqa: PLC0415

    fork_server.start = ForkedServer  # type: ignore[assignment]
    torch_child.start = ForkedChild  # type: ignore[assignment]
    status: object = 0
    try:
        run_script(request["script"]) if request["script"] else main()
    except SystemExit as end:
        status = end.code
    except BaseException:  # noqa: BLE001  (the child must not return into the zygote)
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 1 if status else 0)


def run_script(script: str) -> None:
    """Run a script as Python does."""
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")


class Forked:
    """A process of ours that is forked from its command: as much of `subprocess.Popen` as it needs."""

    def __init__(
        self, module: str, arguments: Sequence[str], *, errors: int = 2, is_read: bool = True
    ) -> None:
        """Call `main()` of a module in a fork, with a standard error and, unless it is read, ours."""
        read, to_child = os.pipe()
        from_child, write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            become(module, arguments, (read, write if is_read else 1, errors))
        os.close(read)
        os.close(write)
        self.stdin, self.stdout = os.fdopen(to_child, "wb", 0), os.fdopen(from_child, "rb")
        self.returncode: int | None = None

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float = math.inf) -> int:
        until = time.monotonic() + timeout
        while self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG if timeout < math.inf else 0)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                raise subprocess.TimeoutExpired("a forked process", timeout)
            else:
                time.sleep(0.01)
        return self.returncode


class ForkedServer(Forked):
    """A fork server."""

    def __init__(self, command: Sequence[str]) -> None:
        _, _, _, module, *preload = command  # as `sweep.bootstrap.command` makes it
        super().__init__(module, [*preload, str(os.getpid())])


class ForkedChild(Forked):
    """A process that needs torch, and reads one request."""

    def __init__(self, command: Sequence[str], output: int | None, errors: IO[bytes]) -> None:
        is_read = output is not None
        super().__init__(command[-1], [], errors=errors.fileno(), is_read=is_read)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.wait()


def become(module: str, arguments: Sequence[str], files: tuple[int, int, int]) -> None:
    """Call `main()`, as a new process would: with no file, handler or thread of the command."""
    status: object = 1
    try:
        gc.freeze()  # nothing of the command is to be closed here
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.closerange(3, 65_536)
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        sys.argv = [module, *arguments]
        set_title(shlex.join(["sweep", "-m", *sys.argv]))
        sys.stdin = TextIOWrapper(os.fdopen(0, "rb", closefd=False), encoding="utf-8")
        status = importlib.import_module(module).main() or 0
    except SystemExit as end:
        status = end.code or 0
        if not isinstance(status, int):
            os.write(2, f"{status}\n".encode())
    except BaseException:  # noqa: BLE001  (the child must not return into the command)
        os.write(2, traceback.format_exc().encode())
    finally:
        sys.stdout.flush()
        os._exit(status if isinstance(status, int) else 1)


if __name__ == "__main__":
    from sweep.bootstrap import claim_names

    claim_names()
    serve(sys.argv[1])
