"""The gates as text: for each its extremes and every figure outside its limits."""

from __future__ import annotations

from collections import Counter

from benchmarks.gates.gate import Measured, NotTried
from benchmarks.gates.line import Line, Outcome

FEW = 20
"""Figures of a gate up to this many are all printed."""
MARKS: dict[Outcome, str] = {
    "kept": "",
    "within chance": "within chance of its limit: ",
    "not kept": "NOT KEPT: ",
    "known": "known, documented: ",
}


def told(measured: Measured, *, every: bool) -> str:
    """The text of one gate; with `every`, all its figures."""
    gate = measured.gate
    if isinstance(measured.found, NotTried):
        return f"{gate.name}: not tried ({measured.found.reason})"
    head = f"{gate.name}: {_summary(measured)}. {gate.promise}"
    lines = measured.lines if every or len(measured.lines) <= FEW else _telling(measured.lines)
    return "\n".join([head, *map(_line, lines)])


def _summary(measured: Measured) -> str:
    """`kept, 108 figures, 2 within chance of their limit, 31 s`."""
    counts = Counter(line.outcome for line in measured.lines)
    total = f"{len(measured.lines)} figures"
    parts = ["kept", total] if measured.kept else [f"NOT KEPT: {counts['not kept']} of {total}"]
    if counts["within chance"]:
        parts.append(f"{counts['within chance']} within chance of the limit")
    if counts["known"]:
        parts.append(f"{counts['known']} known to fail and documented")
    return ", ".join([*parts, f"{measured.seconds:.0f} s"])


def _telling(lines: list[Line]) -> list[Line]:
    """The smallest and the largest figure of each kind, and those outside their limits."""
    shown: dict[Line, None] = {}
    for kind in dict.fromkeys(_kind(line) for line in lines):
        mine = [line for line in lines if _kind(line) == kind and line.value is not None]
        mine.sort(key=lambda line: line.value or 0.0)
        shown |= dict.fromkeys([mine[0], mine[-1]] if mine else [])
    return list(shown | dict.fromkeys(line for line in lines if line.outcome != "kept"))


def _kind(line: Line) -> str:
    """`coverage` for `coverage: equal, 3 seeds`: what comes before the colon."""
    return line.what.partition(":")[0]


def _line(line: Line) -> str:
    note = f" [{line.note}]" if line.outcome == "known" else ""
    return f"  {MARKS[line.outcome]}{line.what}: {line.figure}{note}"
