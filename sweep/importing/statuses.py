"""Statuses of other trackers as states of runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.errors import did_you_mean
from sweep.importing.rules import MEANINGS, NOT_ENDED, Reading, normal_word
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
    ),
    NOT_ENDED: (
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

A pruned run ended early, so its loss is not comparable. `keep` and `discard` are decisions on a run
that ended. Ray writes `TERMINATED` for a run that ended well, and Guild for one that was killed: see
`AMBIGUOUS`.
"""
STATE_OF_WORD = {word: state for state, words in STATUS_WORDS.items() for word in words}
WORDS_LISTED = 6
"""Further unknown words that a question lists."""
AMBIGUOUS = "terminated"
"""Success in one tracker and failure in another; an import says how it was read."""


def normal_words(status: pd.Series[Any]) -> pd.Series[Any]:
    """Return every status as `normal_word` does; an empty one is an empty word."""
    text = status.astype("str").where(status.notna(), "")
    return text.map({each: normal_word(each) for each in text.unique()})


def read_states(written: pd.Series[Any], reading: Reading) -> pd.Series[Any]:
    """Return the RunState of every status; an empty one is DONE. Unknown words are asked about.

    Meanings given by `--status` override the known ones.
    """
    import pandas as pd

    codes, words = pd.factorize(normal_words(written))  # numbered in order of appearance
    meanings = {"": RunState.DONE, **STATE_OF_WORD, **reading.rules.statuses}
    states = [meanings.get(word) for word in words]
    unknown = [int((codes == code).argmax()) for code, state in enumerate(states) if state is None]
    if unknown:
        found = {str(written.iloc[place]): int(written.index[place]) + 1 for place in unknown}
        reading.questions.ask(_question(found, reading.source))
    known = [state or RunState.FAILED for state in states]
    return pd.Series(known, dtype=object).take(codes).set_axis(written.index)


def _question(rows: Mapping[str, int], source: str) -> str:
    """Ask what these words mean; `rows` has the first row of each."""
    (first, row), *others = rows.items()
    also = "".join(f", row {number}: {shown(word)}" for word, number in others[:WORDS_LISTED])
    more = ", …" if len(others) > WORDS_LISTED else ""
    near = did_you_mean(normal_word(first), list(STATE_OF_WORD)) if not others else ""
    meanings = "|".join(MEANINGS)
    options = " ".join(
        f"--status {shlex.quote(word)}={meanings}" for word in list(rows)[: WORDS_LISTED + 1]
    )
    return (
        f"{source}: row {row}: status is {shown(first)}{also}{more}, which is not known{near}; say "
        f"what it means with {options}, or ignore the column with --column status=-"
    )
