"""Promised figures beside measured ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """A promised ratio and the measured one; None if it was not measured."""

    what: str
    wanted: float
    measured: float | None
    at_most: bool = False
    """True if `wanted` is the largest value allowed; otherwise it is the smallest."""

    @property
    def kept(self) -> bool:
        """True if the promise was measured and kept."""
        if self.measured is None:
            return False
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted

    def text(self) -> str:
        """`kept: ours / textbook at default 2.10, promised at least 2.00`."""
        value = "unmeasured" if self.measured is None else f"{self.measured:.2f}"
        bound = "at most" if self.at_most else "at least"
        verdict = "kept" if self.kept else "NOT KEPT"
        return f"{verdict}: {self.what} is {value}, promised {bound} {self.wanted:.2f}"
