"""The scores of a run on tasks of lm-eval, in a file beside its result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model.config import Config
from sweep.errors import ExecutionError
from trainer.files import write_json
from trainer.rundir.directory import RunDirectory
from trainer.tools.eval_protocol import ScoredTask

EVALS_PREFIX = "evals."
"""Begins the names of these metrics: `evals.TASK.METRIC`."""


class RunEvals(Config):
    """The content of `evals.json` in the directory of a run."""

    run_id: str
    tasks: dict[str, ScoredTask]
    """By the name that was asked for: a task, a group or a tag."""

    @property
    def values(self) -> dict[str, float]:
        """The metrics by name."""
        return {
            f"{EVALS_PREFIX}{label}": value
            for task in self.tasks.values()
            for label, value in task.values.items()
        }

    @property
    def higher_is_better(self) -> dict[str, bool]:
        """By the name of a metric; without those of which lm-eval does not say it."""
        return {
            f"{EVALS_PREFIX}{label}": way
            for task in self.tasks.values()
            for label, way in task.higher_is_better.items()
        }


def read_evals(directory: RunDirectory) -> RunEvals | None:
    """Read a run's scores; None if their file is missing or damaged."""
    try:
        return RunEvals.model_validate_json(_file(directory).read_bytes())
    except (OSError, ValidationError):
        return None


def add_evals(directory: RunDirectory, run_id: str, tasks: Mapping[str, ScoredTask]) -> RunEvals:
    """Write the scores on some tasks beside those on others; returns all of them.

    Raises ExecutionError if the file cannot be written.
    """
    rest = drop_evals(directory, run_id, tasks).tasks
    return _write(directory, RunEvals(run_id=run_id, tasks={**rest, **tasks}))


def drop_evals(directory: RunDirectory, run_id: str, tasks: Iterable[str]) -> RunEvals:
    """Remove a run's scores on some tasks, which have changed; returns those that stay.

    Raises ExecutionError if the file cannot be written.
    """
    before = read_evals(directory)
    known = before.tasks if before and before.run_id == run_id else {}
    rest = {name: task for name, task in known.items() if name not in set(tasks)}
    kept = RunEvals(run_id=run_id, tasks=rest)
    return _write(directory, kept) if rest != known else kept


def _write(directory: RunDirectory, evals: RunEvals) -> RunEvals:
    try:
        write_json(_file(directory), evals.model_dump(mode="json"))
    except OSError as error:
        raise ExecutionError(
            f"the scores cannot be written to {directory.path} ({error.strerror}); free some space, "
            "or make it writable, and repeat the command"
        ) from error
    return evals


def stored_evals(directory: RunDirectory, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield rows of the table `metrics` from a run's file; none if it is of another run."""
    found = read_evals(directory)
    if found is not None and found.run_id == run_id:
        for name, value in found.values.items():
            yield {"run_id": run_id, "name": name, "value": value}


def _file(directory: RunDirectory) -> Path:
    return directory.path / "evals.json"
