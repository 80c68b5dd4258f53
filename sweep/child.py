"""Work that needs torch, which is never imported here, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from trainer.child import EXIT_REFUSED
from trainer.errors import UserError


def call(module: str, request: str, *, streaming: bool = False) -> str:
    """What `python -m module` answers to a request; nothing if it streams to our own output.

    Raises UserError with the sentence that it refused with, RuntimeError when it broke.
    """
    sys.stdout.flush()
    done = subprocess.run(  # noqa: S603  (our own module)
        # -P: a folder called `trainer` where the user stands must not be taken for ours.
        [sys.executable, "-P", "-m", module],
        input=request.encode(),
        stdout=None if streaming else subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    words = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode == EXIT_REFUSED and words:
        raise UserError(words[-1])
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}: {' / '.join(words[-3:])}")
    return (done.stdout or b"").decode()
