"""Errors with a message for people.

    UserError                 the base: says what is wrong, where, what is allowed, what to do
    ├── CorpusError           the training text cannot be read, or does not fit the recipe
    │   └── UnreachableError      the network does not reach it; trying again may help
    ├── RunDirectoryError     a file of a run directory is missing, damaged or of another run
    ├── WeightsError          weights cannot be read or written, or do not fit the model
    ├── CheckpointError       a checkpoint cannot be written, or belongs to another recipe
    ├── ExecutionSettingError a recipe cannot be trained on this device or with these settings
    ├── DeviceMemoryError     a device ran out of memory during training
    ├── InstructionError      instruction data has a mistake, or does not fit a model
    ├── EvalError             lm-eval cannot score a model
    ├── CommandError          a script cannot be started, or its command has a mistake
    ├── RunTakenError         another process trains this run, or is about to
    └── sweep.errors...       errors of studies, the store and the command line

A message has one sentence or two. It is printed without a traceback.
"""

from __future__ import annotations


class UserError(Exception):
    """An error that the user can fix; its message says how."""


class CorpusError(UserError):
    """The training text cannot be read, or does not fit the recipe."""


class UnreachableError(CorpusError):
    """The network does not reach the training text; trying again may help."""


class RunDirectoryError(UserError):
    """A file of a run directory is missing, damaged or of another run."""


class WeightsError(UserError):
    """Weights cannot be read or written, or do not fit the model."""


class CheckpointError(UserError):
    """A checkpoint cannot be written, or belongs to another recipe."""


class ExecutionSettingError(UserError):
    """A recipe cannot be trained on this device or with these settings."""


class DeviceMemoryError(UserError):
    """A device ran out of memory during training; another process may have taken it."""


class CommandError(UserError):
    """A script cannot be started; another attempt would end the same way."""


class InstructionError(UserError):
    """Instruction data has a mistake, or does not fit a model."""


class RunTakenError(UserError):
    """Another process trains this run, or a later attempt is about to."""


class EvalError(UserError):
    """lm-eval cannot score a model."""
