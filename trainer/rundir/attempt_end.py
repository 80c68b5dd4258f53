"""How an attempt ended on a node of a cluster: `end-N.json` in the run directory, N its number.

The scheduler may have ended by then, or be another one. So the node writes the file, whole or not at
all, and whoever watches the run reads it. No torch here.
"""

from __future__ import annotations

from pydantic import ValidationError

from model.config import Config
from trainer.files import write_json
from trainer.rundir.directory import RunDirectory


class AttemptEnd(Config):
    """The end of an attempt's process."""

    attempt: int
    status: int | None = None
    """Exit status (`trainer.rundir.exits`); None if a signal ended it, or if it was not started."""
    signal: int | None = None
    """The signal that ended it, if one did."""
    peak_bytes: int | None = None
    """Largest resident memory."""
    out_of_memory: bool | None = None
    """For a killed process: True if the OOM killer did it; None if unknown."""
    noticed: bool = False
    """True if the engine took the node away (SIGTERM), and the run ended for that reason."""
    problem: str | None = None
    """Why the node cannot train the run, in a sentence; the process was not started."""
    host: str
    finished: float
    """Unix time, by the clock of the node."""


class WorkerNote(Config):
    """The content of `worker.json`: where the latest attempt runs, or has run."""

    attempt: int
    host: str
    job: str = ""
    """The job as its engine names it: `Slurm job 17_3`."""
    output: str | None = None
    """The file with the engine's own output; None if there is none."""


def write_end(directory: RunDirectory, end: AttemptEnd) -> None:
    """Write the end of an attempt. Raises OSError."""
    write_json(directory.path / f"end-{end.attempt}.json", end.model_dump(exclude_defaults=True))


def read_end(directory: RunDirectory, attempt: int) -> AttemptEnd | None:
    """Return the end of an attempt; None if no node has written it."""
    try:
        content = (directory.path / f"end-{attempt}.json").read_bytes()
        return AttemptEnd.model_validate_json(content)
    except (OSError, ValidationError):
        return None


def remove_ends(directory: RunDirectory) -> None:
    """Remove the ends of earlier attempts."""
    for path in directory.path.glob("end-*.json"):
        path.unlink(missing_ok=True)


def write_note(directory: RunDirectory, note: WorkerNote) -> None:
    """Write where an attempt runs. Raises OSError."""
    write_json(directory.path / "worker.json", note.model_dump(exclude_defaults=True))


def read_note(directory: RunDirectory) -> WorkerNote | None:
    """Return where the latest attempt ran; None if no worker of a cluster has run it."""
    try:
        return WorkerNote.model_validate_json((directory.path / "worker.json").read_bytes())
    except (OSError, ValidationError):
        return None
