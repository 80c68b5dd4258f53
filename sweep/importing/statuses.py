"""Statuses of other trackers as states of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError, did_you_mean
from sweep.importing.rules import MEANINGS, normal_word
from sweep.store.states import RunState
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

STATUS_WORDS: dict[RunState, tuple[str, ...]] = {
    RunState.DONE: (
        *("done", "finished", "completed", "complete", "success", "succeeded", "ok", "passed"),
        *("keep", "kept", "discard", "discarded", "terminated"),
    ),
    RunState.DIVERGED: ("diverged", "nan", "inf"),
    RunState.FAILED: (
        *("failed", "fail", "failure", "crashed", "crash", "killed", "error", "errored", "aborted"),
        *("cancelled", "canceled", "interrupted", "stopped", "died", "preempted", "revoked"),
        *("timeout", "timed_out", "oom", "out_of_memory", "node_fail", "boot_fail", "deadline"),
        *("pruned", "unfinished", "invalid", "skipped"),
        *(
            "running",
            "queued",
            "pending",
            "scheduled",
            "preempting",
            "waiting",
            "staged",
            "created",
        ),
        *("completing", "configuring", "suspended", "requeued", "paused", "starting", "submitted"),
    ),
}
"""By state: the statuses that mean it, as `normal_word` gives them.

A run that had not ended at the export failed. A pruned run ended early, so its loss is not
comparable. `keep` and `discard` are decisions on a run that ended. Ray writes `TERMINATED` for a
run that ended well, and guild for one that was killed: see `AMBIGUOUS`.
"""
STATE_OF_WORD = {word: state for state, words in STATUS_WORDS.items() for word in words}
AMBIGUOUS = "terminated"
"""Means a good end in one tracker and a bad one in another: an import says how it took it."""


def normal_words(status: pd.Series[Any]) -> pd.Series[Any]:
    """Return every status as `normal_word` does; an empty one is an empty word."""
    text = status.astype("str").where(status.notna(), "")
    return text.map({each: normal_word(each) for each in text.unique()})


def read_states(
    written: pd.Series[Any],
    source: str,
    statuses: Mapping[str, RunState | None] | None = None,
) -> pd.Series[Any]:
    """Return the RunState of every status; an empty one is DONE. Raises ResultsError.

    `statuses` are meanings of words, which go before the known ones.
    """
    import pandas as pd

    codes, words = pd.factorize(normal_words(written))
    meanings = {"": RunState.DONE, **STATE_OF_WORD, **(statuses or {})}
    states = [meanings.get(word) for word in words]
    unknown = [code for code, state in enumerate(states) if state is None]
    if unknown:
        row = int((codes == min(unknown)).argmax())  # codes are numbered in order of appearance
        _refuse(str(written.iloc[row]), int(written.index[row]) + 1, source)
    return pd.Series(states, dtype=object).take(codes).set_axis(written.index)


def _refuse(word: str, row: int, source: str) -> None:
    meanings = "|".join(MEANINGS)
    raise ResultsError(
        f"{source}: row {row}: status is {shown(word)}, which is none of "
        f"{', '.join(STATE_OF_WORD)}{did_you_mean(normal_word(word), list(STATE_OF_WORD))}; say "
        f"what it means with --status {word}={meanings}, or pass over the column with "
        "--column status=-"
    )
