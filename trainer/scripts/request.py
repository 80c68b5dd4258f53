"""The content of `run.json`: a script or a Python function to run. Quick to import."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from model.config import Config, Count


class MetricSource(Config):
    """Where a metric of a run is read.

    A metric that the script writes into the file at `$SWEEP_RESULT` is read there, whatever is
    given here. Without a source, that file is the only place.
    """

    regex: str | None = None
    """A regular expression that output is searched for; its group `value`, or its only group, is
    the number."""
    take: Literal["last", "first", "min", "max", "mean"] = "last"
    """The value of the run, of those that the curve has."""
    step_regex: str | None = None
    """A regular expression for the step, searched for in the same line, or else the latest line
    that has it; without it, the values of the metric are counted."""
    json_file: str | None = Field(default=None, alias="json")
    """A JSON file in the run directory and a dotted path in it: `result.json:val.loss`."""
    line: str | None = None
    """A key of lines that are JSON objects, on the output or in `metrics.jsonl`."""
    wall: bool = False
    """The metric is the duration of the run in seconds."""


class ScriptRequest(Config):
    """What to run, with which parameters and seeds, and how its metrics are read."""

    command: list[str] | None = None
    """Program and arguments, with placeholders (`trainer.scripts.placeholders`); no shell."""
    function: str | None = None
    """`package.module:name`, called instead of a command."""
    folder: str
    """Absolute path of the working directory."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables beside those of the scheduler."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    seeds: dict[str, int] = Field(default_factory=dict)
    """By random stream; one stream `seed` if the script has one seed."""
    metrics: dict[str, MetricSource] = Field(default_factory=dict)
    primary: str
    """The metric that a run must have."""
    flags: Literal["none", "flags", "overrides"] = "none"
    """Form in which all parameters are appended to the command: `--name=value`, or `name=value`."""
    processes: Count = 1
    """GPUs of the run on all of its nodes, or processes if there is no GPU."""
    code: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each file of the script's code, by path."""
    run_id: str | None = None
    """The scheduler's id of the run; not used here, as the next two."""
    family: str | None = None
    """The id that all runs of an arm share."""
    repeat_of: str | None = None
    """The `run_id` of the run that this one repeats exactly."""
