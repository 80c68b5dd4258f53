"""What commands say, read."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest


def loads(text: str) -> Any:  # noqa: ANN401  (JSON)
    """JSON, and nothing but what JSON allows."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def content(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON of a command that has ended well."""
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = loads(done.stdout)
    return found
