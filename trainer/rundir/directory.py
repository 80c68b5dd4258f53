"""The directory of one run: every file name in one place. Light to import: no torch here.

    recipe.json           what to train (written by whoever asks for the run)
    attempts.jsonl        a line per attempt, by whoever started them
    events.jsonl          a line per stretch of steps, appended while the run goes on
    checkpoints/          where an interrupted run continues; gone when it has a result
    result.json           the outcome, there only when the run has one
    weights.safetensors   the final parameters, by name
    tokenizer.json        the corpus's own tokenizer, where it has one (`bpe-N`)
    log.txt               what the process printed
    lock                  held by the process that trains (see `trainer.rundir.lock`)

Attempts, events, log and lock grow; everything else is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import Field, ValidationError

from model.config import Config
from trainer.errors import RunDirectoryError
from trainer.execution import Execution
from trainer.files import write_json, write_whole
from trainer.recipe import Recipe
from trainer.rundir.lock import RunLock


class Request(Config):
    """What `recipe.json` holds."""

    recipe: Recipe
    corpus_hash: str | None = None
    """The corpus that is meant; None for whatever the recipe's corpus is on this machine."""
    weights_hash: str | None = None
    """The initial weights that are meant; None for whatever the recipe's are on this machine."""
    weights: str | None = None
    """The folder that has them; None for the recipe's own words, from where the command is given."""
    cache: str = "../cache"
    """Where token files are kept, relative to the run directory."""
    execution: Execution = Execution()
    """How the run is carried out; no part of what it computes."""
    run_id: str | None = None
    """What whoever asks for the run calls it; this and what follows means nothing to a trainer."""
    family: str | None = None
    """What they call all runs that differ from it by their seeds alone."""
    repeat_of: str | None = None
    """The run that this one repeats exactly."""


class Event(Config):
    """One line of `events.jsonl`: means over the steps since the line before."""

    step: int
    """Steps taken so far."""
    loss: float | None
    """Mean training loss in nats per token; None when it is not finite."""
    learning_rate: float
    grad_norm: float | None
    """Mean norm of the whole gradient before clipping; None when it is not finite."""
    clipped: float = 0.0
    """Fraction of the steps whose gradient was clipped."""
    skipped: int = 0
    """Steps whose gradient was not finite, so that nothing was changed."""
    tokens_per_second: float


class Result(Config):
    """What `result.json` holds."""

    state: Literal["done", "diverged"]
    test_loss: float | None = None
    """Nats per token; None when the run diverged."""
    bits_per_byte: float | None = None
    chunk_losses: list[float] = Field(default_factory=list)
    """Mean loss of each chunk of test text; empty when the run diverged."""
    diverged_at: int | None = None
    """The step whose loss gave the divergence away."""
    cause: str | None = None
    """Why the run counts as diverged, for people."""
    last_loss: float | None = None
    """The last finite training loss."""
    steps: int
    tokens: int
    """Tokens trained on."""
    skipped_steps: int = 0
    """Steps whose gradient was not finite, so that nothing was changed."""
    micro_batch: int | None = None
    """Sequences that each process worked on at once, in the end."""
    processes: int = 1
    """Data-parallel processes."""
    notes: list[str] = Field(default_factory=list)
    """What a person should know of how the run went, in sentences."""
    started: float
    """Unix time at which the first attempt began on this run."""
    first_step: float
    """Unix time at which the first training step began."""
    finished: float
    """Unix time at which the test loss was known."""
    tokens_per_second: float
    """Over the training steps, evaluation left out."""
    provenance: dict[str, Any]
    """Code, packages, device and corpus that the result comes from."""

    @property
    def summary(self) -> str:
        """What came of it, for people."""
        if self.test_loss is None:
            return f"diverged at step {self.diverged_at}, {self.cause}"
        return f"test loss {self.test_loss:.4f} nats per token"


class RunDirectory:
    """Reads and writes the files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.json"
        self.attempts = path / "attempts.jsonl"
        self.events = path / "events.jsonl"
        self.result = path / "result.json"
        self.log = path / "log.txt"
        self.checkpoints = path / "checkpoints"
        self.weights = path / "weights.safetensors"
        self.tokenizer = path / "tokenizer.json"
        self.lock = RunLock(path)

    def write_request(self, request: Request) -> None:
        """Make the directory ready to be trained."""
        self.path.mkdir(parents=True, exist_ok=True)
        fields = request.model_dump(mode="json", exclude_defaults=True)
        write_json(self.recipe, fields)

    def read_request(self) -> Request:
        """What to train. Raises RunDirectoryError when `recipe.json` is missing or no recipe."""
        try:
            return Request.model_validate_json(self.recipe.read_bytes())
        except OSError as error:
            raise RunDirectoryError(
                f"{self.recipe} cannot be read ({error.strerror}); "
                "a run directory holds a recipe.json that says what to train"
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            raise RunDirectoryError(
                ": ".join(filter(None, [str(self.recipe), where, message]))
            ) from error

    def write_result(self, result: Result) -> None:
        """Record the outcome, whole or not at all. Raises RunDirectoryError when that is impossible."""
        try:
            write_json(self.result, result.model_dump(mode="json"))
        except OSError as error:
            raise RunDirectoryError(
                f"{self.result} cannot be written ({error.strerror}); make room there, or make it "
                "writable, and run again"
            ) from error

    def read_result(self) -> Result | None:
        """The outcome, or None while there is none.

        Raises RunDirectoryError when the file is damaged, or cannot be read.
        """
        try:
            return Result.model_validate_json(self.result.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RunDirectoryError(
                f"{self.result} cannot be read ({error.strerror}); it is to be a file in the folder "
                "of its run: remove what is in the way"
            ) from error
        except ValidationError as error:
            raise RunDirectoryError(
                f"{self.result} is damaged; remove it and train the run again"
            ) from error

    @contextlib.contextmanager
    def open_events(self, steps: int) -> Iterator[IO[str]]:
        """The events, to append to, without those of steps after the first `steps`.

        What the disk has not taken by the end is dropped.
        """
        kept = [event for event in self.read_events() if event.step <= steps]
        lines = "".join(event.model_dump_json() + "\n" for event in kept)
        write_whole(self.events, lines.encode())
        file = self.events.open("a")
        try:
            yield file
        finally:
            with contextlib.suppress(OSError):
                file.close()

    def sweep(self) -> None:
        """Remove what an attempt that was killed while it wrote a file has left beside it."""
        for pattern in (".*.tmp", ".tmp*", ".ranks-*"):  # the second are those of safetensors
            for leftover in self.path.glob(pattern):
                leftover.unlink(missing_ok=True)

    def read_events(self) -> list[Event]:
        """The events so far."""
        return parse_events(self.events.read_bytes()) if self.events.exists() else []

    def note_attempt(self, fields: dict[str, Any]) -> None:
        """Add a line about an attempt that has ended. Raises OSError."""
        with self.attempts.open("a") as file:
            file.write(json.dumps(fields, sort_keys=True) + "\n")

    def read_attempts(self) -> list[dict[str, Any]]:
        """The attempts that have ended, by number; of one that was noted twice, the later line."""
        if not self.attempts.exists():
            return []
        found: dict[int, dict[str, Any]] = {}
        for line in self.attempts.read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError):  # cut off by a full disk
                fields = json.loads(line)
                found[fields["number"]] = fields
        return [found[number] for number in sorted(found)]

    def last_words(self) -> str:
        """The last line that the process printed: where it failed, the error."""
        if not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def parse_events(text: bytes) -> list[Event]:
    """The events in some lines; one that is damaged, or still being written, is left out.

    So is all but the last of a step that is there twice. A gap in a curve is a lesser evil than a
    result that is lost for it.
    """
    events = dict[int, Event]()
    for line in text[: text.rfind(b"\n") + 1].splitlines():
        with contextlib.suppress(ValidationError):
            event = Event.model_validate_json(line)
            events[event.step] = event
    return list(events.values())
