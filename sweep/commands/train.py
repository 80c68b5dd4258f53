"""`sweep train`: train a run directory, without study, database or scheduler."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from sweep.bootstrap import command


def train(directory: Path, device: str | None, threads: int | None) -> NoReturn:
    """Become the process that trains it: signals reach it, and its exit status is the command's."""
    words = [*command("trainer.tools.train")]
    words += [f"--device={device}"] if device else []
    words += [f"--threads={threads}"] if threads else []
    words += ["--", str(directory)]
    sys.stdout.flush()
    os.execv(words[0], words)  # noqa: S606  (our own module)
