"""Statuses of other trackers as states of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError, did_you_mean
from sweep.store.states import RunState
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

STATUS_WORDS: dict[RunState, tuple[str, ...]] = {
    RunState.DONE: ("done", "finished", "completed", "complete", "success", "succeeded", "ok"),
    RunState.DIVERGED: ("diverged",),
    RunState.FAILED: (
        *("failed", "crashed", "killed", "cancelled", "canceled", "error", "preempted"),
        *("running", "queued", "pending", "scheduled", "preempting"),
    ),
}
"""By state: the statuses that mean it, in lower case. A run that had not ended at the export failed."""
STATE_OF_WORD = {word: state for state, words in STATUS_WORDS.items() for word in words}


def read_states(written: pd.Series[Any], source: str) -> pd.Series[Any]:
    """Return the RunState of every status; an empty one is DONE. Raises ResultsError."""
    import pandas as pd

    codes, words = pd.factorize(written.str.lower())
    states = [RunState.DONE if not word else STATE_OF_WORD.get(word) for word in words]
    unknown = [code for code, state in enumerate(states) if state is None]
    if unknown:
        row = int((codes == min(unknown)).argmax())  # codes are numbered in order of appearance
        _refuse(str(written.iloc[row]), row + 1, source)
    return pd.Series(states, dtype=object).take(codes).set_axis(written.index)


def _refuse(word: str, row: int, source: str) -> None:
    raise ResultsError(
        f"{source}: row {row}: status is {shown(word)}, which is none of "
        f"{', '.join(STATE_OF_WORD)}{did_you_mean(word.lower(), list(STATE_OF_WORD))}"
    )
