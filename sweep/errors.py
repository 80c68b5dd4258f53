"""The exceptions of `sweep`, below `trainer.errors.UserError`.

UserError
├── StudyError        the study file is not valid
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

import difflib
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
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {prefix + nearest[0]!r}?" if nearest else ""


def listed(words: Iterable[object]) -> str:
    """Join words as `a, b and c`."""
    *most, last = [str(word) for word in words] or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last
