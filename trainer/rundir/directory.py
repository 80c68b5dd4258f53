"""The directory of one run: all file names in one place. Quick to import: does not import torch.

    recipe.json           what to train (see `trainer.rundir.request`); written by the scheduler, or by hand
    run.json              instead of it for a script: see `trainer.scripts.request`
    instructions.json     instead of it for a fine-tune: see `trainer.instructions.request`
    answers.json          what a fine-tuned model has answered
    attempts.jsonl        a line per attempt that ended; written by the scheduler
    events.jsonl          a line per stretch of steps, appended during training
    checkpoints/          an interrupted run continues from them; removed once there is a result
    result.json           the outcome; missing until the run has one
    weights.safetensors   the final parameters, by name
    tokenizer.json        the tokenizer, if it was made from the corpus (`bpe-N`)
    log.txt               output of the process
    waiting.txt           why its job has not begun; only while it waits; written by the scheduler
    job.json              the job of a cluster that trains it (see `sweep.executors.slurm.batch`)
    worker.json, end-N.json   where an attempt on a cluster ran, and how it ended
                          (see `trainer.rundir.attempt_end`)
    end-N-node-K.json, end-N-stop.json   between the nodes of a script's run (see
                          `trainer.scripts.others`)
    lock                  held by the process that trains (see `trainer.rundir.lock`)

Attempts, events, log and lock grow; every other file is written whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from model.config import Config
from trainer.errors import RunDirectoryError
from trainer.files import write_json, write_whole
from trainer.rundir.lock import RunLock

if TYPE_CHECKING:
    from trainer.rundir.request import Request

REQUESTS = ("recipe.json", "run.json", "instructions.json")
"""Files of which one says what to train."""


class Event(Config):
    """One line of `events.jsonl`: means over the steps since the previous line.

    An event of a script has a step and metrics only.
    """

    step: int
    """Steps taken so far."""
    loss: float | None = None
    """Mean training loss in nats per token; None when it is not finite."""
    learning_rate: float | None = None
    grad_norm: float | None = None
    """Mean norm of the whole gradient before clipping; None when it is not finite."""
    clipped: float = 0.0
    """Fraction of the steps whose gradient was clipped."""
    skipped: int = 0
    """Steps that changed nothing, because the gradient was not finite."""
    tokens_per_second: float | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    """Metrics of a script at this step, by name; finite numbers."""

    @property
    def line(self) -> str:
        """The event as a line of `events.jsonl`."""
        if self.metrics:
            return self.model_dump_json(exclude_defaults=True) + "\n"
        return self.model_dump_json(exclude={"metrics"}) + "\n"


class Result(Config):
    """The content of `result.json`."""

    state: Literal["done", "diverged"]
    test_loss: float | None = None
    """Nats per token; None when the run diverged, and for a script."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """Metrics of the run by name; those that are not finite are left out."""
    bits_per_byte: float | None = None
    chunk_losses: list[float] = Field(default_factory=list)
    """Mean loss of each chunk of test text; empty when the run diverged."""
    diverged_at: int | None = None
    """The step at which the divergence was noticed."""
    cause: str | None = None
    """The reason why the run counts as diverged, in words."""
    last_loss: float | None = None
    """The last finite training loss."""
    steps: int | None = None
    tokens: int | None = None
    """Tokens trained on."""
    skipped_steps: int = 0
    """Steps that changed nothing, because the gradient was not finite."""
    micro_batch: int | None = None
    """Sequences per forward pass in each process, at the end of the run."""
    processes: int = 1
    """Data-parallel processes."""
    notes: list[str] = Field(default_factory=list)
    """Warnings about the run, in sentences."""
    started: float
    """Unix time at which the first attempt began."""
    first_step: float | None = None
    """Unix time at which the first training step began; None if unknown."""
    finished: float
    """Unix time at which the test loss was known."""
    tokens_per_second: float | None = None
    """Training speed, without the evaluation."""
    provenance: dict[str, Any]
    """Code, packages, device and corpus of this result."""

    @property
    def summary(self) -> str:
        """The outcome in one line, for people."""
        if self.state == "done" and self.test_loss is None:
            return ", ".join(f"{name} {value:g}" for name, value in self.metrics.items())
        if self.test_loss is None:
            return f"diverged at step {self.diverged_at}, {self.cause}"
        return f"test loss {self.test_loss:.4f} nats per token"


class RunDirectory:
    """Reads and writes the files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe, self.script, self.instructions = (path / name for name in REQUESTS)
        self.answers = path / "answers.json"
        self.attempts = path / "attempts.jsonl"
        self.events = path / "events.jsonl"
        self.result = path / "result.json"
        self.log = path / "log.txt"
        self.waiting = path / "waiting.txt"
        self.checkpoints = path / "checkpoints"
        self.weights = path / "weights.safetensors"
        self.tokenizer = path / "tokenizer.json"
        self.lock = RunLock(path)

    @property
    def is_prepared(self) -> bool:
        """True if the directory says what to train."""
        return any((self.path / name).exists() for name in REQUESTS)

    @property
    def is_script(self) -> bool:
        """True if it holds the request of a script."""
        return self.script.exists()

    @property
    def is_instruction_run(self) -> bool:
        """True if it holds the request of a fine-tune."""
        return self.instructions.exists()

    def write_request(self, request: Request) -> None:
        """Create the directory and its `recipe.json`."""
        self.path.mkdir(parents=True, exist_ok=True)
        fields = request.model_dump(mode="json", exclude_defaults=True)
        write_json(self.recipe, fields)

    def read_request(self) -> Request:
        """Read `recipe.json`. Raises RunDirectoryError if it is missing or invalid."""
        from trainer.rundir.request import Request  # (brings the recipe, which scripts do not need)

        try:
            return Request.model_validate_json(self.recipe.read_bytes())
        except OSError as error:
            raise RunDirectoryError(
                f"{self.recipe} cannot be read ({error.strerror}); "
                "a run directory holds a recipe.json that says what to train"
            ) from error
        except ValidationError as error:
            raise RunDirectoryError(first_mistake(self.recipe, error)) from error

    def write_result(self, result: Result) -> None:
        """Write `result.json`, whole or not at all. Raises RunDirectoryError if that fails."""
        try:
            write_json(self.result, result.model_dump(mode="json"))
        except OSError as error:
            raise RunDirectoryError(
                f"{self.result} cannot be written ({error.strerror}); free some space, or make it "
                "writable, and run again"
            ) from error

    def read_result(self) -> Result | None:
        """Read `result.json`; None if there is none yet.

        Raises RunDirectoryError if the file is damaged, or cannot be read.
        """
        try:
            return Result.model_validate_json(self.result.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RunDirectoryError(
                f"{self.result} cannot be read ({error.strerror}); "
                "it must be a file: remove what has its name"
            ) from error
        except ValidationError as error:
            raise RunDirectoryError(
                f"{self.result} is damaged; remove it and train the run again"
            ) from error

    @contextlib.contextmanager
    def open_events(self, steps: int) -> Iterator[IO[str]]:
        """Open `events.jsonl` to append to it, after removing the events of later steps.

        Lines that could not be written because the disk is full are dropped at the end.
        """
        kept = [event for event in self.read_events() if event.step <= steps]
        lines = "".join(event.line for event in kept)
        write_whole(self.events, lines.encode())
        file = self.events.open("a")
        try:
            yield file
        finally:
            with contextlib.suppress(OSError):
                file.close()

    def remove_leftovers(self) -> None:
        """Remove temporary files that killed attempts left behind."""
        for pattern in (".*.tmp", ".tmp*", ".ranks-*"):  # safetensors writes .tmp*
            for leftover in self.path.glob(pattern):
                leftover.unlink(missing_ok=True)

    def read_events(self) -> list[Event]:
        """Read the events so far."""
        return parse_events(self.events.read_bytes()) if self.events.exists() else []

    def note_attempt(self, fields: dict[str, Any]) -> None:
        """Append a line about an attempt that has ended. Raises OSError."""
        with self.attempts.open("a") as file:
            file.write(json.dumps(fields, sort_keys=True) + "\n")

    def read_attempts(self) -> list[dict[str, Any]]:
        """Read the attempts that have ended, in order; the last line about an attempt counts."""
        if not self.attempts.exists():
            return []
        found: dict[int, dict[str, Any]] = {}
        for line in self.attempts.read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError):  # cut off by a full disk
                fields = json.loads(line)
                found[fields["number"]] = fields
        return [found[number] for number in sorted(found)]

    def note_waiting(self, reason: str | None) -> None:
        """Write why the job of this run has not begun; None if it has. Raises OSError."""
        if reason is None:
            self.waiting.unlink(missing_ok=True)
        else:
            write_whole(self.waiting, f"{reason}\n".encode(), durable=False)

    def read_waiting(self) -> str | None:
        """Return why the job of this run has not begun; None if it does not wait."""
        try:
            return self.waiting.read_text(errors="replace").strip()
        except OSError:
            return None

    def last_log_line(self) -> str:
        """The last line that the process printed: the error, if it failed."""
        if not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def first_mistake(file: Path, error: ValidationError) -> str:
    """The first mistake in a file, with the file and the field."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return ": ".join(filter(None, [str(file), where, message]))


def parse_events(text: bytes) -> list[Event]:
    """Parse lines of events; of two events of the same step, the last one counts.

    Skips damaged and unfinished lines, which leave a gap in the curve.
    """
    events = dict[int, Event]()
    for line in text[: text.rfind(b"\n") + 1].splitlines():
        with contextlib.suppress(ValidationError):
            event = Event.model_validate_json(line)
            events[event.step] = event
    return list(events.values())
