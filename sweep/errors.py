"""The exceptions of `sweep`, below `trainer.errors.UserError`.

UserError
├── StudyError        the study file is not valid
│   └── InvalidStudyError ... with each of its mistakes (`sweep.study.mistakes`)
├── StoreError        the database cannot be used
│   ├── StoreBusyError    ... for now: its disk is full, or another program keeps it locked
│   ├── EmptyStoreError   ... only to be read: nothing has been stored in it yet
│   └── OutdatedStoreError    ... only to be read: it has to be upgraded first
├── NotFoundError     there is no such study, run or corpus
├── HubError          the upload to the Hugging Face Hub failed
├── ResultsError      a file of results cannot be imported
├── JudgeError        a judge model cannot be asked
│   └── JudgeFailedError  ... this time; other requests may succeed
└── ExecutionError    runs cannot be started on this machine
    └── RunnerLostError   ... any more: the process that starts them ends repeatedly
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sweep.bootstrap import import_ours, is_ours

if TYPE_CHECKING or is_ours("trainer"):
    from trainer.errors import UserError
else:  # a notebook, where `trainer` is the user's, or nothing
    UserError = import_ours("trainer.errors").UserError

__all__ = [
    "ExecutionError",
    "HubError",
    "JudgeError",
    "JudgeFailedError",
    "NotFoundError",
    "ResultsError",
    "RunnerLostError",
    "StoreBusyError",
    "StoreError",
    "StudyError",
    "UserError",
    "did_you_mean",
    "listed",
]

MAX_WORD = 64
"""Longest word for which a similar one is looked up; names have at most as many characters."""
SHORTEST_BEGINNING = 4
"""Letters that a word has at least if it stands for a longer one: `base` for `baseline`."""


class StudyError(UserError):
    """The study file is not valid."""


class StoreError(UserError):
    """The database cannot be used."""


class StoreBusyError(StoreError):
    """The database cannot be written for now; a later try may succeed."""


class EmptyStoreError(StoreError):
    """The database has no tables and was opened without being created."""


class OutdatedStoreError(StoreError):
    """The database has an older schema and was opened read-only."""


class NotFoundError(UserError):
    """There is no such study, run or corpus."""


class HubError(UserError):
    """The upload to the Hugging Face Hub failed."""


class ResultsError(UserError):
    """A file of results cannot be imported."""


class JudgeError(UserError):
    """A judge model cannot be asked."""


class JudgeFailedError(JudgeError):
    """A request to a judge model got no reply; others may."""


class ExecutionError(UserError):
    """Runs cannot be started on this machine."""


class RunnerLostError(ExecutionError):
    """The process that starts runs has ended too often."""


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Return `; did you mean 'x'?` with the most similar known word; empty if none is similar."""
    near = nearest(word, known)
    return "" if near is None else f"; did you mean {prefix + near!r}?"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like `word`; None if no word is like it.

    At most a third of the letters differ, or one of the words is the beginning of the other.
    """
    if len(word) > MAX_WORD:
        return None
    rated = [(_difference(word.lower(), each.lower()), each) for each in known]
    difference, near = min(rated, default=(1.0, None))
    return near if difference <= 1 / 3 else None


def _difference(one: str, other: str) -> float:
    """The share of letters in which two words differ; 1 for lengths that are too different."""
    short, long = sorted((one, other), key=len)
    if len(short) >= SHORTEST_BEGINNING and long.startswith(short):
        return min(1 / 3, 1 - len(short) / len(long))
    if len(long) - len(short) > len(long) / 3:
        return 1.0
    return edit_distance(one, other) / max(len(long), 1)


def edit_distance(one: str, other: str) -> int:
    """Least number of letters to insert, delete, replace or swap with the next.

    The optimal string alignment distance (Damerau 1964).
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 < j and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def listed(words: Iterable[object]) -> str:
    """Join words as `a, b and c`."""
    *most, last = [str(word) for word in words] or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last
