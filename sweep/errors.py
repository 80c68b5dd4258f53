"""What can go wrong in an orchestrated study; the tree hangs from `trainer.errors.UserError`.

UserError
├── StudyError        the study file does not make sense
├── StoreError        the database cannot be used
│   └── StoreBusyError    ... at the moment: its disk is full, or another program keeps it locked
├── NotFoundError     no study, run or corpus answers to that name
├── HubError          nothing can be uploaded to the Hugging Face Hub
├── ResultsError      a file of results cannot be imported
└── ExecutionError    runs cannot be started on this machine
    └── RunnerLostError   ... any more: what starts them ends again and again
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from trainer.errors import UserError


class StudyError(UserError):
    """The study file does not make sense."""


class StoreError(UserError):
    """The database cannot be used."""


class StoreBusyError(StoreError):
    """The database cannot be written at the moment; waiting helps."""


class NotFoundError(UserError):
    """No study, run or corpus answers to that name."""


class HubError(UserError):
    """Nothing can be uploaded to the Hugging Face Hub."""


class ResultsError(UserError):
    """A file of results cannot be imported."""


class ExecutionError(UserError):
    """Runs cannot be started on this machine."""


class RunnerLostError(ExecutionError):
    """What runs are started with has gone, and comes back no more."""


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """`; did you mean 'x'?` with the nearest of `known`, or nothing when none is near."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {prefix + nearest[0]!r}?" if nearest else ""


def listed(words: Iterable[object]) -> str:
    """`a, b and c`."""
    *most, last = [str(word) for word in words] or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last
