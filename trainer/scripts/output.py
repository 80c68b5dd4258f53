"""Find metrics in the output of a script: matches of expressions, and lines that are JSON."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

from trainer.scripts.curves import Curves
from trainer.scripts.expressions import Expression, to_number
from trainer.scripts.request import MetricSource
from trainer.scripts.search_limit import search_limit

LINE_BYTES = 16_384
"""Bytes of a line that are searched: an expression may be slow on a long one."""
STEP_KEYS = ("step", "global_step", "_step", "iter", "iteration")
"""Keys of a JSON line that hold its step, the first one that is there."""


class MetricReader:
    """Reads the metrics out of a stream of output, block by block."""

    def __init__(self, metrics: dict[str, MetricSource], curves: Curves) -> None:
        self._curves = curves
        self._by_regex = [
            (name, Expression(source.regex), _step_of(source))
            for name, source in metrics.items()
            if source.regex is not None
        ]
        self._steps: dict[str, int] = {}
        """The latest step that each `step_regex` has found."""
        self._json = JsonLines(metrics, curves)
        self._rest = b""

    def read(self, block: bytes) -> None:
        """Read the whole lines of a block; the rest waits for the next one."""
        block = self._rest + block.replace(b"\r", b"\n")
        end = block.rfind(b"\n") + 1
        self._rest = block[end:][:LINE_BYTES]
        self._read_lines(block[:end])

    def close(self) -> None:
        """Read the last line, if nothing ends it."""
        self._read_lines(self._rest)
        self._rest = b""

    def _read_lines(self, block: bytes) -> None:
        limited = search_limit(self._patterns) if self._by_regex else contextlib.nullcontext()
        with limited:
            self._search(block)

    def _search(self, block: bytes) -> None:
        searched = [each for each in self._by_regex if _may_match(each, block)]
        with_json = self._json.may_match(block)
        if searched or with_json:
            for line in block.split(b"\n"):
                self._read_line(line[:LINE_BYTES], searched, with_json=with_json)

    def _patterns(self) -> list[str]:
        """All expressions."""
        found = [each for _, *pair in self._by_regex for each in pair if each is not None]
        return [each.pattern for each in found]

    def _read_line(
        self,
        line: bytes,
        searched: list[tuple[str, Expression, Expression | None]],
        *,
        with_json: bool,
    ) -> None:
        text = line.decode(errors="replace")
        for name, expression, step_expression in searched:
            if step_expression:
                for number in step_expression.numbers(text):
                    if number.is_integer():
                        self._steps[step_expression.pattern] = int(number)
            for value in expression.numbers(text):
                step = self._steps.get(step_expression.pattern) if step_expression else None
                self._curves.add(name, value, step)
        if with_json:
            self._json.read_line(text)


class JsonLines:
    """Reads the metrics of lines such as `{"step": 10, "val_loss": 3.2}`."""

    def __init__(self, metrics: dict[str, MetricSource], curves: Curves) -> None:
        self._curves = curves
        self._keys = json_keys(metrics)
        self._quoted = [json.dumps(key).encode() for key in self._keys]

    def may_match(self, block: bytes) -> bool:
        """True if a block of output has one of the keys."""
        return any(key in block for key in self._quoted)

    def read_line(self, line: str) -> None:
        """Read a line, if it is a JSON object."""
        start = line.find("{")
        if start < 0 or line[:start].strip():
            return
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(fields, dict):
            return
        step = next((fields[key] for key in STEP_KEYS if _is_whole(fields.get(key))), None)
        for key, names in self._keys.items():
            value = number_of(fields.get(key))
            if value is not None:
                for name in names:
                    self._curves.add(name, value, None if step is None else int(step))


def json_keys(metrics: dict[str, MetricSource]) -> dict[str, list[str]]:
    """Keys of JSON lines, and the metrics that each is; one without a source has its own name."""
    keys = dict[str, list[str]]()
    for name, source in metrics.items():
        named = source.line or (None if has_source(source) else name)
        if named:
            keys.setdefault(named, []).append(name)
    return keys


def has_source(source: MetricSource) -> bool:
    """True if a metric says where it is read."""
    return bool(source.regex or source.json_file or source.line or source.wall)


def number_of(value: Any) -> float | None:  # noqa: ANN401  (any JSON value)
    """A JSON number, or the texts by which JSON writers say NaN and infinity; else None."""
    if isinstance(value, str):
        number = to_number(value)
        return number if number is not None and number - number != 0 else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf if value > 0 else -math.inf


def _is_whole(value: Any) -> bool:  # noqa: ANN401  (any JSON value)
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1


def _step_of(source: MetricSource) -> Expression | None:
    return Expression(source.step_regex) if source.step_regex else None


def _may_match(each: tuple[str, Expression, Expression | None], block: bytes) -> bool:
    _, expression, step = each
    return expression.may_match(block) or (step is not None and step.may_match(block))
