"""Known runs that have another result in a file: those that had not ended are updated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.errors import ResultsError
from sweep.importing.known_runs import KnownRuns
from sweep.importing.rules import NOT_ENDED
from sweep.importing.run_table import RunTable, outcome
from sweep.importing.runs import NO_LOSS
from sweep.store.states import RunState
from trainer.words import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RUNS_LISTED = 5
"""Runs that a refusal lists."""
MAX_REPLACED = 20
"""Runs whose replacement the history of a plan lists, for each import."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Runs of a file that have another result than before."""

    ids: NDArray[np.bytes_]
    table: RunTable
    had_ended: NDArray[np.bool_]
    """True for a run that had ended: only `--replace` changes its result."""
    before: list[str]
    """How each run ended before, in words."""

    def describe(self, place: int) -> str:
        """Describe a change: `arm 'clip', seed 3: loss 2.5 → loss 2.25`."""
        table = self.table
        return f"{table.describe(place)}: {self.before[place]} → {table.outcome(place)}"

    def replaced(self) -> list[str]:
        """Describe the runs that had ended, for the history of the plan."""
        places = self.had_ended.nonzero()[0].tolist()
        more = len(places) - MAX_REPLACED
        told = [self.describe(place) for place in places[:MAX_REPLACED]]
        return [*told, *([f"and {counted(more, 'more run')}"] if more > 0 else [])]

    def check(self, source: str, study: str) -> None:
        """Raise ResultsError if a run had ended."""
        places = self.had_ended.nonzero()[0].tolist()
        if not places:
            return
        told = [
            f"row {self.table.row[place]} gives {self.table.describe(place)} "
            f"{self.table.outcome(place)}, and the study has it with {self.before[place]}"
            for place in places[:RUNS_LISTED]
        ]
        more = len(places) - RUNS_LISTED
        also = f"; and {counted(more, 'more run')}" if more > 0 else ""
        count = counted(len(places), "run")
        raise ResultsError(
            f"{source}: {count} of study {study!r} had ended with another result: "
            f"{'; '.join(told)}{also}. Correct the file, replace them with --replace, or choose "
            "another name with --study"
        )


def find_changed(
    ids: NDArray[np.bytes_], table: RunTable, known: KnownRuns, places: NDArray[np.intp]
) -> Changed:
    """Compare the runs of a file with those that the study has, at `places` of `known`."""
    losses, states = table.loss.to_numpy(), table.state.to_numpy()
    before = known.states[places]
    other_loss = (states == RunState.DONE) & (losses != known.losses[places])
    # Before 0.2.0, a run without a loss had diverged, and one that had not ended had failed.
    lost = (table.cause.to_numpy() == NO_LOSS) & (before == RunState.DIVERGED)
    open_ = (states == NOT_ENDED) & (before == RunState.FAILED)
    rows = (other_loss | ((states != before) & ~lost & ~open_)).nonzero()[0]
    rows = rows[table.row.to_numpy()[rows].argsort()]
    before, at = before[rows], places[rows]
    went_on = table.step.to_numpy()[rows] > known.steps[at]
    return Changed(
        ids=ids[rows],
        table=table.take(rows),
        had_ended=(before != NOT_ENDED) & ~went_on,
        before=[outcome(known.states[place], known.losses[place]) for place in at.tolist()],
    )
