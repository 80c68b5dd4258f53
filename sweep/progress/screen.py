"""What a live display shows, as values; `sweep.progress.drawing` writes them as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweep.progress.event_file import value_of
from trainer.rundir.directory import Event


@dataclass(frozen=True, kw_only=True)
class SlotRow:
    """A running run."""

    slot: str
    label: str
    """ARM/SEED."""
    step: int
    steps: int
    """0 if the trainer does not say how many there are."""
    metric: str = "loss"
    """The name of `value`: `loss`, or a metric of a script."""
    value: float | None = None
    """The latest one; None before the first, and if it is not finite."""
    difference: float | None = None
    """`value` minus that of the baseline with the same seed at the same step."""
    tokens_per_second: float | None = None
    memory: int | None = None
    """Resident bytes of its processes."""
    gpu: str = ""
    """Use of its GPU: `97%, 12.1 GB`."""
    note: str = ""
    """Shown in place of the value: `evaluating`."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How an arm stands by the runs that have ended so far."""

    arm: str
    ended: int
    """Runs with a result; diverged ones count."""
    planned: int
    mean: float | None = None
    effect: float | None = None
    """Arm minus baseline, in the unit of the metric."""
    low: float | None = None
    """The interval that the verdict uses."""
    high: float | None = None
    verdict: str = ""
    style: str = ""
    """Rich style of the verdict."""


@dataclass(frozen=True, kw_only=True)
class Screen:
    """All that a live display shows."""

    total: int
    ended: int
    under_way: float = 0.0
    """Runs that are done, in parts: two that are half done are 1."""
    left: str = ""
    """How long the rest takes, or why nothing runs."""
    notices: Sequence[str] = ()
    """Sentences on what holds the study up."""
    failed: int = 0
    retried: int = 0
    free_bytes: int | None = None
    """Free space on the disk of the runs."""
    slots: Sequence[SlotRow] = ()
    stopping: bool = False
    """True while running runs are asked to stop."""
    standings: Sequence[Standing] = ()
    """The baseline first."""


def with_events(row: SlotRow, events: Mapping[int, Event], difference: float | None) -> SlotRow:
    """The row with the latest of its events, given by step."""
    if not events:
        return row
    event = events[next(reversed(list(events)))]
    name, value = value_of(event)
    note = "not finite" if value is None else ""
    return replace(
        row,
        step=event.step,
        metric=name,
        value=value,
        difference=difference,
        tokens_per_second=event.tokens_per_second,
        note="evaluating" if row.steps and event.step >= row.steps else note,
    )
