"""The exceptions of `sweep`, below `trainer.errors.UserError`.

UserError
├── StudyError        the study file is not valid
│   └── InvalidStudyError ... with each of its mistakes (`sweep.study.mistakes`)
├── StoreError        the database cannot be used
│   ├── StoreBusyError    ... for now: its disk is full, or another program keeps it locked
│   └── OutdatedStoreError    ... only to be read: it has to be upgraded first
├── NotFoundError     there is no such study, run or corpus
├── HubError          the upload to the Hugging Face Hub failed
├── ResultsError      a file of results cannot be imported
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


class StudyError(UserError):
    """The study file is not valid."""


class StoreError(UserError):
    """The database cannot be used."""


class StoreBusyError(StoreError):
    """The database cannot be written for now; a later try may succeed."""


class OutdatedStoreError(StoreError):
    """The database has an older schema and was opened to be read only."""


class NotFoundError(UserError):
    """There is no such study, run or corpus."""


class HubError(UserError):
    """The upload to the Hugging Face Hub failed."""


class ResultsError(UserError):
    """A file of results cannot be imported."""


class ExecutionError(UserError):
    """Runs cannot be started on this machine."""


class RunnerLostError(ExecutionError):
    """The process that starts runs has ended too often."""


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Return `; did you mean 'x'?` with the most similar known word; empty if none is similar."""
    near = nearest(word, known)
    return "" if near is None else f"; did you mean {prefix + near!r}?"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like `word`; None if no more than a third is mistyped in any."""
    small = word.lower()
    near: tuple[float, str] | None = None
    for each in known:
        longer = max(len(word), len(each))
        if len(word) > MAX_WORD or abs(len(word) - len(each)) > longer / 3:
            continue
        wrong = edit_distance(small, each.lower())
        if wrong <= longer / 3 and (near is None or (wrong, each) < near):
            near = wrong, each
    return near and near[1]


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
