"""A process that has imported what runs need, such as torch, and forks one child for each run.

Importing torch takes seconds; forking a process that has imported it takes milliseconds. The client
starts the server with the names of modules to import (`gpt` for all that the built-in trainer needs)
and its own process id, and exchanges lines of JSON with it:

    in    {"start": RUN_DIR, "attempt": 1, "device": "cpu", "threads": 1, "environment": {}}
          (and "group": see `trainer.scripts.group`, if several nodes train the run)
          {"signal": RUN_DIR, "number": 15}
    out   {"ready": true}
          {"started": RUN_DIR, "pid": 4711}
          {"ended": RUN_DIR, "status": 0, "signal": null, "peak_bytes": 123456789,
           "out_of_memory": null}

Where a fork is not safe (`trainer.processes.start_method`), a child is a new process of this module,
whose last argument is the request, and the server imports nothing.

When its input ends, because the client is gone, the server kills its children and exits. What a
killed child has left running becomes a child of the server, which kills it. It does
not touch CUDA, because a CUDA context does not survive a fork.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from trainer.files import FULL
from trainer.processes import start_method
from trainer.processes.oom_kills import OomKillCounter, prefer_as_oom_victim
from trainer.processes.ranks import die_with_parent
from trainer.processes.run import train_directory
from trainer.rundir.exits import Exit
from trainer.scripts import descendants
from trainer.scripts.group import NodeGroup
from trainer.scripts.processes import die_by
from trainer.scripts.provenance import device_name

GPT = "gpt"
"""The name of all modules that the built-in trainer needs."""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes per unit of `ru_maxrss`."""


class ForkServer:
    """Forks a process for each requested run, and reports when it ends."""

    def __init__(self) -> None:
        self._directories: dict[int, str] = {}
        self._buffer = b""
        self._oom_kills = OomKillCounter()
        # Signals wake the selector through this pipe, so that none is lost between two selects.
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_write)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def serve(self) -> None:
        """Serve until the input ends."""
        _send({"ready": True})
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == 0 and not self._read_requests():
                        return
                self._reap()

    def kill_all(self) -> None:
        """End every child, and all that they have started.

        This process is about to be killed, too, if its client was. So the supervisor of a script is
        not killed, but told to kill what it has started; that signal ends any other child.
        """
        for pid in self._directories:
            os.kill(pid, descendants.PARENT_DIED)
        descendants.wait_for_children(self._directories)
        descendants.kill_descendants()

    def _read_requests(self) -> bool:
        """Read and handle the requests that have arrived; False at the end of the input."""
        received = os.read(0, 65_536)
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        for line in lines:
            self._handle(json.loads(line))
        return bool(received)

    def _handle(self, request: dict[str, Any]) -> None:
        if "start" in request:
            self._start(request)
            return
        for pid, directory in self._directories.items():
            if directory == request["signal"]:
                os.kill(pid, request["number"])

    def _start(self, request: dict[str, Any]) -> None:
        # SIGTERM is blocked until the child handles it: StopSignal unblocks it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        server = os.getpid()
        if not self._directories:
            self._oom_kills.catch_up()
        pid = _spawn(request, server) if start_method.SPAWNS else os.fork()
        if pid == 0:
            become_run(request, server)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        self._directories[pid] = request["start"]
        _send({"started": request["start"], "pid": pid})

    def _reap(self) -> None:
        """Report every child that has ended."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 65_536)
        while self._directories:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid not in self._directories:  # a rank of a killed run, or what a script had started
                continue
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
            directory = self._directories.pop(pid)
            if number is not None:
                descendants.kill_descendants(spared=self._directories)
            _send(
                {
                    "ended": directory,
                    "status": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
                    "signal": number,
                    "peak_bytes": usage.ru_maxrss * RSS_UNIT,
                    "out_of_memory": self._oom_kills.claim() if number == signal.SIGKILL else None,
                }
            )


def become_run(request: dict[str, Any], server: int) -> NoReturn:
    """Train the run in this process, a child of the process `server`; then exit."""
    status: int = Exit.FAILED
    try:
        die_with_parent(server)
        prefer_as_oom_victim()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        directory = Path(request["start"])
        _redirect(directory / "log.txt")
        os.environ.update(request["environment"])
        place = request["device"], request["threads"]
        group = NodeGroup.model_validate(request["group"]) if request.get("group") else None
        status = train_directory(directory, *place, request["attempt"], group)
        if status < 0:
            die_by(-status)
    except BaseException:  # noqa: BLE001  (the child must not return into the server's loop)
        with contextlib.suppress(OSError):
            traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):  # the log may be on a full disk
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _spawn(request: dict[str, Any], server: int) -> int:
    """Start a process that becomes the run; returns its id. It inherits blocked signals."""
    command = [*sys.orig_argv[:-1], str(server), json.dumps(request)]  # the modules stay
    return os.posix_spawn(sys.executable, command, os.environ)


def _redirect(log: Path) -> None:
    """Redirect the run's output to its log, and close its copies of the server's pipes."""
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as error:
        print(f"{log} cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201  (there is no log to write to)
        os._exit(Exit.DISK_FULL if error.errno in FULL else Exit.FAILED)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)


def _send(message: dict[str, Any]) -> None:
    os.write(1, (json.dumps(message) + "\n").encode())


def preload(module: str) -> None:
    """Import a module before the first fork, as far as that works: the run itself says what is wrong.

    `gpt` stands for all that the built-in trainer needs.
    """
    if module == GPT:
        preload_gpt()
        return
    with contextlib.suppress(Exception):
        importlib.import_module(module)


def preload_scripts() -> None:
    """Find out what every run of a script would find out again."""
    device_name("cpu")


def preload_gpt() -> None:
    """Import all that a run of the built-in trainer needs."""
    import torch

    for module in (
        "torch.optim",
        "trainer.corpora.corpus",
        "trainer.processes.inputs",
        "trainer.training.loop",
    ):
        importlib.import_module(module)
    from trainer.training import provenance

    torch.set_num_threads(1)  # a pool of threads does not survive a fork
    provenance.code()
    provenance.device_name(torch.device("cpu"))


def main() -> None:
    """Serve the client on standard input and output; its process id is the last argument.

    `os.getppid()` is no substitute: if the client has died already, the parent is another process.
    With a request after it, become a run of the server with that process id.
    """
    if sys.argv[-1].startswith("{"):
        become_run(json.loads(sys.argv[-1]), int(sys.argv[-2]))
    *modules, client = sys.argv[1:]
    die_with_parent(int(client))  # also while torch is still being imported
    descendants.become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in modules if not start_method.SPAWNS else ():
        preload(module)
    preload_scripts()
    gc.collect()
    gc.freeze()  # or else each child copies the memory of all objects when it collects garbage
    server = ForkServer()
    try:
        # The client may end while the server writes to it.
        with contextlib.suppress(BrokenPipeError):
            server.serve()
    finally:
        server.kill_all()
