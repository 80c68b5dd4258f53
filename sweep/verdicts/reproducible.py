"""Which results another training would give again to the last bit, and on what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweep.terminal.printable import harmless
from sweep.verdicts.evidence import Evidence


@dataclass(frozen=True, kw_only=True)
class Reproducible:
    """Runs that ended with a result, and whose device is on record."""

    exactly: int
    """Runs that give the same bits again, on one of `on` with as many threads or GPUs."""
    on: tuple[str, ...]
    """Their devices, each with its version of torch."""
    roughly: int
    """Runs on a GPU that was free to sum in any order: they differ by rounding."""

    def sentences(self) -> list[str]:
        """What a report says of it."""
        lines = []
        if self.exactly:
            lines.append(
                f"Reproducible to the last bit on {harmless(' or '.join(self.on))}: "
                f"{_runs(self.exactly)}."
            )
        if self.roughly:
            lines.append(
                f"Reproducible but for rounding: {_runs(self.roughly)}, trained on a GPU without "
                "jobs.deterministic."
            )
        return lines


def _runs(count: int) -> str:
    return f"{count} run{'s' if count > 1 else ''}"


def reproducible(evidence: Evidence) -> Reproducible:
    """Judge the runs of a study by what was recorded of them.

    A CPU always gives the same bits, a GPU where `jobs.deterministic` asked for it.
    """
    ended = evidence.frame["status"].isin(["done", "diverged"])
    counts = Counter(evidence.frame["origin"][ended].tolist())
    exactly, roughly = Counter[str](), 0
    for number, count in counts.items():
        origin = json.loads(evidence.origins[number] or "null")
        if not isinstance(origin, dict) or "device_type" not in origin:
            continue
        if origin["device_type"] == "cpu" or origin.get("deterministic"):
            exactly[_place(origin)] += count
        else:
            roughly += count
    return Reproducible(exactly=exactly.total(), on=tuple(exactly), roughly=roughly)


def _place(origin: Mapping[str, Any]) -> str:
    torch = (origin.get("versions") or {}).get("torch", "unknown")
    return f"{origin.get('device', 'an unknown device')} with torch {torch}"
