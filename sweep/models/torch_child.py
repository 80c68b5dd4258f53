"""Work that needs torch, which is never imported here, in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

from trainer.errors import UserError
from trainer.tools.child import EXIT_REFUSED


def call(module: str, request: str, see: Callable[[str], None] | None = None) -> None:
    """Have `python -m module` work on a request.

    It writes to our own output, or line by line to `see`. Raises UserError with the sentence that
    it refused with, RuntimeError when it broke.
    """
    sys.stdout.flush()
    output = None if see is None else subprocess.PIPE
    # -P: a folder called `trainer` where the user stands must not be taken for ours.
    command = [sys.executable, "-P", "-m", module]
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(  # noqa: S603  (our own module)
            command, stdin=subprocess.PIPE, stdout=output, stderr=errors
        ) as process:
            assert process.stdin is not None  # noqa: S101  (for the type checker: it is a pipe)
            with contextlib.suppress(BrokenPipeError):  # its status says why it reads no more
                process.stdin.write(request.encode())
                process.stdin.close()
            for line in process.stdout or ():
                if see is not None:
                    see(line.decode())
        errors.seek(0)
        words = errors.read().decode(errors="replace").strip().splitlines()
    if process.returncode == EXIT_REFUSED and words:
        raise UserError(words[-1])
    if process.returncode:
        raise RuntimeError(f"{module} ended with {process.returncode}: {' / '.join(words[-3:])}")
