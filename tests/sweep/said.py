"""Read the JSON output of commands."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest


def loads(text: str) -> Any:  # noqa: ANN401  (JSON)
    """Parse strict JSON: NaN and Infinity fail the test."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def content(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON that a successful command printed."""
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = loads(done.stdout)
    return found
