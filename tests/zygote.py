"""Commands in forked children of a process that has imported the command line and torch already.

A command takes a second to import what it needs, its fork server five, and a test run starts
hundreds of them. Each child is a process of its own with its own arguments, folder, environment and
output; only the imports are shared. Tests of imports, signals and terminals start real commands
instead.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Self

IMPORTS = (
    *("sweep.cli", "pandas", "scipy.stats", "sqlalchemy", "pyarrow.parquet", "rich.table"),
    *("torch._dynamo", "torch.optim", "trainer.corpora.corpus", "trainer.training.loop"),
)
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
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def run(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `sweep WORDS` in a folder, as subprocess.run does with captured text."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.zygote", self.address],
                env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=subprocess.PIPE,
            )
            assert self.process.stdout
            with self.process.stdout as said:
                assert said.readline() == b"ready\n"
        with tempfile.TemporaryDirectory(dir=self.folder.name) as room:
            out, err = Path(room, "out"), Path(room, "err")
            request = {
                "words": list(words),
                "folder": str(folder),
                "environment": dict(environment),
                "out": str(out),
                "err": str(err),
            }
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
                link.settimeout(timeout)
                link.connect(self.address)
                link.send(json.dumps(request).encode())
                status = int(link.recv(100))
            return subprocess.CompletedProcess(
                ["sweep", *words], status, out.read_text(), err.read_text()
            )


def serve(address: str) -> None:
    """Import the command line and fork a child for each request."""
    for name in IMPORTS:
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(address)
        server.listen(100)
        print("ready", flush=True)  # noqa: T201
        while True:
            link, _ = server.accept()
            if os.fork() == 0:
                server.close()
                answer(link)
            link.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass


def answer(link: socket.socket) -> None:
    """Run the command in another child, and answer with its exit status."""
    request = json.loads(link.recv(LONGEST))
    child = os.fork()
    if child == 0:
        link.close()
        command(request)
    _, status = os.waitpid(child, 0)
    link.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def command(request: Mapping[str, object]) -> None:
    """Become the command: its folder, its environment, its output, its arguments."""
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    time.tzset()
    tempfile.tempdir = None
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(str(request[name]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.stdout = TextIOWrapper(os.fdopen(1, "wb", closefd=False), encoding="utf-8")
    sys.stderr = TextIOWrapper(
        os.fdopen(2, "wb", closefd=False), encoding="utf-8", line_buffering=True
    )
    sys.argv = ["sweep", *request["words"]]  # type: ignore[misc]
    from sweep.__main__ import main  # noqa: PLC0415  (in the process of the command)
    from sweep.executors import fork_server  # noqa: PLC0415
    from sweep.models import torch_child  # noqa: PLC0415

    fork_server.start = ForkedServer  # type: ignore[assignment]
    torch_child.start = ForkedChild  # type: ignore[assignment]
    status: object = 0
    try:
        main()
    except SystemExit as end:
        status = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 1 if status else 0)


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
