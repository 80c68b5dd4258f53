"""What can go wrong, for people.

    UserError                 a sentence that says what, where, what is allowed, what to do
    ├── CorpusError           the training text cannot be had, or does not fit the recipe
    │   └── UnreachableError      ... for now: it lies where the network does not get us
    ├── RunDirectoryError     a run directory does not hold what it should
    ├── WeightsError          weights cannot be read or written out, or do not fit the model
    ├── CheckpointError       a checkpoint cannot be written, or is another recipe's
    ├── ExecutionSettingError a recipe cannot be trained where, or how, it is meant to be
    ├── DeviceMemoryError     a device ran out of memory on the way
    ├── RunTakenError         another process trains this run, or is about to
    └── sweep.errors...       what concerns studies, the store and the command line

Each carries one sentence or two, and no traceback is needed to act on it.
"""

from __future__ import annotations


class UserError(Exception):
    """Something that the person at the keyboard can mend; its text is all they need."""


class CorpusError(UserError):
    """The training text cannot be had, or does not fit the recipe."""


class UnreachableError(CorpusError):
    """The training text lies where the network does not get us, for now."""


class RunDirectoryError(UserError):
    """A run directory does not hold what it should."""


class WeightsError(UserError):
    """Weights cannot be read or written out, or do not fit the model."""


class CheckpointError(UserError):
    """A checkpoint cannot be written, or is another recipe's."""


class ExecutionSettingError(UserError):
    """A recipe cannot be trained where, or how, it is meant to be."""


class DeviceMemoryError(UserError):
    """A device ran out of memory on the way; perhaps because of what else it is used for."""


class RunTakenError(UserError):
    """Another process trains this run, or is about to: a later attempt."""
