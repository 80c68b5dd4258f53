"""Ask a process of ours, from a process where `model`, `trainer` and `analysis` are the user's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from sweep import errors
from sweep.bootstrap import command

EXIT_REFUSED = 2
"""Exit status of the worker if its answer is the class and the message of a UserError."""


def ask(function: str, **arguments: object) -> Any:  # noqa: ANN401  (what JSON holds)
    """Call a function of `sweep.notebook.worker` there; arguments and answer are JSON.

    Raises its UserError here, as the same class. Raises RuntimeError if the worker crashed.
    """
    request = json.dumps([function, arguments]).encode()
    worker = subprocess.run(  # noqa: S603  (our own module)
        command("sweep.notebook.worker"), input=request, capture_output=True, check=False
    )
    said = worker.stderr.decode(errors="replace")
    if worker.returncode == EXIT_REFUSED and worker.stdout:
        raise _error(*json.loads(worker.stdout))
    if worker.returncode:
        raise RuntimeError(f"sweep exited with status {worker.returncode} and printed:\n{said}")
    sys.stderr.write(said)  # warnings
    return json.loads(worker.stdout)


def _error(name: str, message: str) -> errors.UserError:
    """The exception of this name in `sweep.errors`; a UserError for one that only the trainer has."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, errors.UserError):
        return kind(message)
    return errors.UserError(message)
