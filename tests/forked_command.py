"""A command that a zygote has forked (tests/zygote.py), with the methods of `subprocess.Popen`."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any, Self


def start_command(
    address: str, request: Mapping[str, Any], *, merged: bool, output: IO[bytes] | None = None
) -> ForkedCommand:
    """Ask the zygote at an address for a command; with `merged`, both outputs are one.

    They are pipes, or both are the file `output`.
    """
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.connect(address)
    if output:
        files = [output.fileno()] * 2
        socket.send_fds(link, [json.dumps(request).encode()], files)
        return ForkedCommand(link, None, None)
    read, write = os.pipe()
    read_errors, write_errors = (None, write) if merged else os.pipe()
    socket.send_fds(link, [json.dumps(request).encode()], [write, write_errors])
    for file in {write, write_errors}:
        os.close(file)
    errors = None if read_errors is None else os.fdopen(read_errors, encoding="utf-8")
    return ForkedCommand(link, os.fdopen(read, encoding="utf-8"), errors)


class ForkedCommand:
    """As much of `subprocess.Popen[str]` as tests need."""

    def __init__(self, link: socket.socket, stdout: IO[str] | None, stderr: IO[str] | None) -> None:
        self._link = link
        self.stdout, self.stderr = stdout, stderr
        self.returncode: int | None = None
        self.pid = int(link.recv(100))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in filter(None, (self.stdout, self.stderr)):
            stream.close()
        self.wait()

    def poll(self) -> int | None:
        """Return the exit status, or None if the command has not ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; returns the exit status."""
        if self.returncode is None:
            self._link.settimeout(timeout)
            try:
                self.returncode = int(self._link.recv(100))
            except (TimeoutError, BlockingIOError) as error:
                raise subprocess.TimeoutExpired("sweep", timeout or 0) from error
            self._link.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read what is left of both outputs, and wait for the end."""
        until = math.inf if timeout is None else time.monotonic() + timeout
        readers = [_Reader(stream) for stream in (self.stdout, self.stderr)]
        for reader in readers:
            reader.join(max(0, min(until - time.monotonic(), threading.TIMEOUT_MAX)))
        self.wait(None if timeout is None else max(0, until - time.monotonic()))
        out, errors = (reader.said for reader in readers)
        return out, errors

    def finish(self, words: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Wait for the end of the command `words`, and kill it if the wait fails or is interrupted."""
        with self:
            try:
                out, errors = self.communicate(timeout)
            except BaseException:
                self.kill()
                raise
        return subprocess.CompletedProcess(words, self.wait(), out, errors)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Reader(threading.Thread):
    """Reads a stream to its end and closes it."""

    def __init__(self, stream: IO[str] | None) -> None:
        super().__init__(daemon=True)
        self._stream, self.said = stream, ""
        self.start()

    def run(self) -> None:
        if self._stream and not self._stream.closed:
            with self._stream:
                self.said = self._stream.read()
