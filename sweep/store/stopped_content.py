"""Decisions to stop arms early, as a stored plan has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class StoppedContent:
    """The decision to stop an arm, with its evidence."""

    at: float
    """The checkpoint: a share of the steps below 1, else a step."""
    step: int
    """Step at which the curves were compared."""
    seeds: int
    """Seeds that the evidence has."""
    worse_by: float
    """Mean of arm minus baseline, or baseline minus arm for a metric that is to be high."""
    log_e_value: float
    """Natural log of the e-value against "worse by no more than the margin"."""
    alpha: float
    """The error rate of the checkpoint."""

    @property
    def json(self) -> dict[str, Any]:
        """JSON values, as a plan has them."""
        return asdict(self)

    @property
    def words(self) -> str:
        """`stopped at 30%`, or `stopped at step 1000`."""
        return f"stopped at {100 * self.at:g}%" if self.at < 1 else f"stopped at step {self.at:g}"


def read_stopped(json: Mapping[str, Any]) -> dict[str, StoppedContent]:
    """Read the decisions of a plan, by arm."""
    return {arm: StoppedContent(**each) for arm, each in json.items()}
