"""The interface to a tracker, and what it is told about runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from model.config import Config
from trainer.rundir.directory import Event, Result

KEY_LENGTH = 16
"""Characters of a key: W&B allows 128 in the id of a run."""
SHORT_ID = 6
"""Characters of a run's id in a name."""
NO_STEP = -1
"""The last step of a run without points."""


class TrackedRun(Config):
    """A run of a study, as trackers show it."""

    study: str
    arm: str
    seed: str
    """The seed, or what else tells the runs of an arm apart: `1 again` for an exact rerun."""
    run_id: str
    directory: str
    """Absolute path of the run's directory."""
    parameters: dict[str, Any]
    """All parameters and seeds, by dotted names; strings, numbers and booleans."""

    @property
    def key(self) -> str:
        """An id that is the same whenever this run is tracked as a part of this study."""
        return key_of(self.study, self.arm, self.seed, self.run_id)

    @property
    def name(self) -> str:
        """ARM/SEED, as `sweep show` takes it."""
        return f"{self.arm}/{self.seed}"

    @property
    def short_id(self) -> str:
        """The beginning of its id, for names: with a changed recipe, the same seed is another run."""
        return self.run_id[:SHORT_ID]


class Verdicts(Config):
    """The verdict table of a study."""

    study: str
    columns: list[str]
    rows: list[list[Any]]
    """JSON values."""
    markdown: str
    """The whole report."""

    @property
    def digest(self) -> str:
        """A hash of the content: equal tables are attached once."""
        return key_of(self.markdown)

    def figures(self, column: str) -> dict[str, Any]:
        """Return the values of a column by arm, without those that are None; empty if it is missing."""
        if not {"arm", column} <= set(self.columns):
            return {}
        arm, value = self.columns.index("arm"), self.columns.index(column)
        return {row[arm]: row[value] for row in self.rows if row[value] is not None}


class Point(NamedTuple):
    """A point of the curves of a run."""

    step: int
    values: Mapping[str, float]
    """By name; finite numbers."""


class Outcome(NamedTuple):
    """How a run ended."""

    state: Literal["done", "diverged", "failed"]
    metrics: Mapping[str, float]
    """Final metrics by name; finite numbers."""
    step: int
    """The last step."""
    cause: str = ""
    """Why it diverged or failed."""


class OpenRun(Protocol):
    """A run that a tracker is told about. Any method may raise any exception."""

    @property
    def last_step(self) -> int:
        """The last step whose values the tracker has; `NO_STEP` if it has none."""

    def log(self, points: Sequence[Point]) -> None:
        """Send points after `last_step`; returns when the tracker has them."""

    def finish(self, outcome: Outcome) -> None:
        """Send the final metrics and close the run."""

    def stop(self) -> None:
        """Close the run, which continues later."""


class Tracker(Protocol):
    """Sends runs to a tool. `sweep.trackers.registry` lists the tools.

    It is used by one thread of a process of its own. Any method may raise any exception.
    """

    @property
    def link(self) -> str:
        """How to look at the runs: an address, or a command to type; empty if there are none."""

    def has_finished(self, run: TrackedRun) -> bool:
        """True if the tracker has the whole run."""

    def open(self, run: TrackedRun) -> OpenRun:
        """Make a run, or continue the one that was made for the same key."""

    def attach(self, verdicts: Verdicts) -> None:
        """Show the verdict table of a study, in place of an earlier one."""

    def close(self) -> None:
        """Send what is still held back."""


def key_of(*parts: str) -> str:
    """A short hash of some texts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:KEY_LENGTH]


def point_of(event: Event) -> Point:
    """The values of a point of a training curve; a script's have their own names."""
    built_in = {
        "train/loss": event.loss,
        "train/learning_rate": event.learning_rate,
        "train/grad_norm": event.grad_norm,
        "train/tokens_per_second": event.tokens_per_second,
    }
    known = {name: value for name, value in built_in.items() if value is not None}
    return Point(event.step, {**known, **event.metrics})


def outcome_of(result: Result, last_step: int) -> Outcome:
    """The outcome of a run with a result."""
    built_in = {
        "test_loss": result.test_loss,
        "bits_per_byte": result.bits_per_byte,
        "tokens_per_second": result.tokens_per_second,
        "seconds": result.finished - result.started,
    }
    metrics = {name: value for name, value in built_in.items() if value is not None}
    step = result.steps if result.steps is not None else max(last_step, 0)
    return Outcome(result.state, {**metrics, **result.metrics}, step, result.cause or "")


def flat_parameters(content: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run by dotted names, as strings, numbers and booleans; without None.

    A script's are those under `parameters`; its command and the hashes of its code are left out.
    """
    if "parameters" in content and "trainer" in content:
        content = {**content.get("parameters", {}), "seeds": content.get("seeds", {})}
    return dict(_flat(content, ""))


def _flat(content: Mapping[str, Any], above: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in content.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{above}{name}.")
        elif value is not None:
            plain = isinstance(value, str | int | float)
            found.append((f"{above}{name}", value if plain else json.dumps(value)))
    return found
