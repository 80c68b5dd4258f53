"""Find out what a training process imports, for `sweep doctor`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.bootstrap import command

TIME_LIMIT = 300
"""Seconds. The first import after an installation compiles thousands of files."""


@dataclass(frozen=True)
class Imports:
    """What `trainer.tools.imports` printed before it ended."""

    lines: Sequence[Mapping[str, Any]]
    problem: str
    """Why there are fewer than two lines."""


def read_imports() -> Imports:
    """Import what runs import in a process of its own, because a failing import may end it."""
    words = command("trainer.tools.imports")
    try:
        done = subprocess.run(words, capture_output=True, timeout=TIME_LIMIT, check=False)  # noqa: S603  (our own module)
    except subprocess.TimeoutExpired as error:
        return Imports(_lines(error.stdout or b""), "importing it takes more than five minutes")
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return Imports(_lines(done.stdout), (said or ["it printed no reason"])[-1])


def _lines(output: bytes) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]
