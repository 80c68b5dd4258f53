"""Run work that needs torch in a child process: sweep itself does not import torch,
except to read a checkpoint of nanoGPT's.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import IO

from sweep.bootstrap import command as own_command
from trainer.errors import UserError
from trainer.tools.child import EXIT_REFUSED


def start(command: Sequence[str], output: int | None, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the child; `output` is `subprocess.PIPE`, or None for our own standard output."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=errors)  # noqa: S603  (our own module)


def call(module: str, request: str, read_line: Callable[[str], None] | None = None) -> None:
    """Call `main()` of a module in a child process, with a request on its standard input.

    Its output goes to our standard output or, line by line, to `read_line`. Raises UserError with
    the child's message if it refused the request, RuntimeError if it crashed.
    """
    sys.stdout.flush()
    output = None if read_line is None else subprocess.PIPE
    with tempfile.TemporaryFile() as errors:
        with start(own_command(module), output, errors) as process:
            assert process.stdin is not None  # noqa: S101  (for the type checker: it is a pipe)
            with contextlib.suppress(BrokenPipeError):  # it exited early; its exit status says why
                process.stdin.write(request.encode())
                process.stdin.close()
            for line in process.stdout or ():
                if read_line is not None:
                    read_line(line.decode())
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    if process.returncode == EXIT_REFUSED and lines:
        raise UserError(lines[-1])
    if process.returncode:
        raise RuntimeError(
            f"{module} exited with status {process.returncode}: {' / '.join(lines[-3:])}"
        )
