"""A race whose budget is spent: what has been trained before still counts."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sweep.progress.plain import PlainProgress
from sweep.progress.watcher import Summary
from sweep.running.rounds import Rounds
from sweep.running.supplier import NoSupplier, Round


class Replay:
    """A supplier whose next round has results already, and the one after it does not fit."""

    def __init__(self) -> None:
        self.rooms: list[int | None] = []

    def more(self, room: int | None) -> Round:
        self.rooms.append(room)
        return Round(news=["better after 7 seeds: clip"], fits=False)


def test_rounds_that_were_trained_before_cost_nothing_of_a_spent_budget() -> None:
    seen, supplier, summary = io.StringIO(), Replay(), Summary()
    watcher = PlainProgress(Console(file=seen, width=200), {}, 0)
    assert Rounds(supplier, watcher, summary).next(0, waiting=True) == []
    assert supplier.rooms == [0]
    assert summary.spent
    assert "better after 7 seeds: clip" in seen.getvalue()


@pytest.mark.parametrize("waiting", [True, False])
def test_a_spent_budget_is_told_only_if_something_waits(waiting: bool) -> None:
    summary = Summary()
    watcher = PlainProgress(Console(file=io.StringIO()), {}, 0)
    assert Rounds(NoSupplier(), watcher, summary).next(0, waiting=waiting) == []
    assert summary.spent is waiting
