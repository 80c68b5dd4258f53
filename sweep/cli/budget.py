"""Options that limit how much a command trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from sweep.cli.numbers import Range, number_option

if TYPE_CHECKING:
    from sweep.running.budget import Budget

MaxRuns = Annotated[
    int | None, number_option(Range(int, 1, 10_000_000), "Train no more runs than these")
]
MaxHours = Annotated[
    float | None,
    number_option(
        Range(float, 1e-6, 1e6, above_zero=True), "Start no further run after these", "HOURS"
    ),
]


def read_budget(max_runs: int | None, max_hours: float | None) -> Budget:
    """Return the budget of a command."""
    from sweep.running.budget import Budget

    seconds = None if max_hours is None else 3600 * max_hours
    return Budget(max_runs=max_runs, max_seconds=seconds)
