"""The interface of judges: they score the answers to instructions from 0 to 100."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from trainer.instructions.data import Item

MAX_SCORE = 100.0


@dataclass(frozen=True)
class Panel:
    """The answers of all arms to one test item, with one seed."""

    seed: int
    number: int
    """The number of the item among the test items, from 0."""
    item: Item
    answers: Mapping[str, str]
    """By run."""


class Score(NamedTuple):
    """The score of one answer."""

    run_id: str
    number: int
    """The number of the test item."""
    repeat: int
    """From 0."""
    position: int | None
    """The place of the answer in the judge's prompt, from 0; None for a judge that sees one answer."""
    value: float | None
    """From 0 to 100; None if the judge's reply could not be read."""


@dataclass
class Judged:
    """What a judge has done."""

    scores: list[Score] = field(default_factory=list)
    prompts: int = 0
    """How many prompts there are; for a judge without prompts, how many panels."""
    unreadable: int = 0
    """Prompts whose reply could not be read, or that got none: their scores are missing."""
    left: int = 0
    """Prompts that were not asked because the budget is spent, or the server fails."""
    stopped: str | None = None
    """Why some were not asked, as a sentence."""
    asked: int = 0
    """Requests that were answered just now; the other scores were known from before."""
    spent: float = 0.0
    """Dollars, by the study's prices."""


class Judge(Protocol):
    """Scores answers. `sweep.judging.registry` lists the judges."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """JSON values that identify the judge: its name, version and model."""

    def check(self) -> None:
        """Raise StudyError if it cannot judge, for lack of a key or a library."""

    def announce(self, panels: Sequence[Panel]) -> str | None:
        """What judging will cost, as a sentence; None if it costs nothing."""

    def score(self, panels: Sequence[Panel], advanced: Callable[[int, int], None]) -> Judged:
        """Score all answers; calls `advanced` with (panels done, panels in all)."""
