"""A gate: a promise about the verdicts, and the function that measures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gates.line import Line


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much the gates simulate and train, and where they read."""

    studies: int
    """Simulated studies in each cell."""
    study: Path
    """The study whose baseline is trained."""
    tokens: int
    """Tokens of each run that is trained; 0 trains none."""
    deals: int
    """How often the trained runs are dealt out as arms."""
    reference: Path
    """The file of published single runs."""


@dataclass(frozen=True)
class NotTried:
    """Why a gate was not measured."""

    reason: str


@dataclass(frozen=True)
class Gate:
    """A promise about the verdicts."""

    name: str
    """As `--only` takes it."""
    promise: str
    """One line that is printed above the figures."""
    measure: Callable[[Settings], list[Line] | NotTried]
    """Measures the figures. It simulates the same studies at every call."""


@dataclass(frozen=True)
class Measured:
    """A gate and what was found."""

    gate: Gate
    found: list[Line] | NotTried
    seconds: float

    @property
    def lines(self) -> list[Line]:
        """The figures; none if the gate was not tried."""
        return [] if isinstance(self.found, NotTried) else self.found

    @property
    def kept(self) -> bool:
        """False if any figure breaks the gate."""
        return all(line.kept for line in self.lines)
