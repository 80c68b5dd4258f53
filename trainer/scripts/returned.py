"""What a user's function reports and returns, as the files that a script would write.

This module is used in a process whose modules are the user's, so that it imports nothing of ours.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Report:
    """`report(step, **metrics)`: adds a point to the curves of a run."""

    def __init__(self, path: Path, known: Sequence[str]) -> None:
        self._path = path
        self._known = known
        self.seen = set[str]()
        """Names of metrics that were reported."""

    def __call__(self, step: int, **metrics: Any) -> None:  # noqa: ANN401  (arrays of one number, too)
        """Report metrics at a step. Raises TypeError for what is no number."""
        numbers = {}
        for name, value in metrics.items():
            number = number_from(value)
            if number is None:
                raise TypeError(
                    f"report({step}, {name}=...) got {_kind(value)}, and a metric is a number"
                )
            numbers[name] = number
        self.seen |= numbers.keys()
        line = json.dumps({**numbers, "step": int(step)}) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def write_returned(returned: object, path: Path, needed: str | None, function: str) -> str | None:
    """Write the metrics that a function has returned; returns what is wrong with them, if anything.

    `needed`: the metric that must be among them.
    """
    example = f"{{{needed or 'val_loss'!r}: 3.2}}"
    if not isinstance(returned, Mapping):
        return (
            f"{function} returned {_kind(returned)}, but must return a mapping of metrics, such as "
            f"{example}"
        )
    numbers = {}
    for name, value in returned.items():
        number = number_from(value)
        if number is None and name == needed:
            return f"{function} returned {_kind(value)} for {name!r}, which must be a number"
        if number is not None:
            numbers[str(name)] = number
    if needed is not None and needed not in numbers:
        near = difflib.get_close_matches(needed, numbers, 1)
        names = ", ".join(map(repr, numbers)) or "nothing"
        advice = f"; did you mean {near[0]!r}?" if near else ""
        return f"{function} returned no {needed!r}, only {names}{advice}"
    path.write_text(json.dumps(numbers), encoding="utf-8")
    return None


def number_from(value: Any) -> float | None:  # noqa: ANN401  (anything)
    """A number, also if it is that of an array or a tensor; None for anything else."""
    if value is None or isinstance(value, str | bytes):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _kind(value: object) -> str:
    kinds = {str: "a text", list: "a list", dict: "a mapping", int: "a number", float: "a number"}
    return "nothing" if value is None else kinds.get(type(value), f"a {type(value).__name__}")
