"""`[metrics]` of a study file: the numbers that a script is judged by, and where they come from."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from model.config import Config
from sweep.metrics.metric import Direction, Metric
from sweep.metrics.names import direction_of_name


class SourceSettings(Config):
    """A place in a script's output; exactly one of `regex`, `json` and `line` is set."""

    regex: str | None = Field(default=None, examples=["val loss (?P<value>[0-9.]+)"])
    """An expression in the output; its group `value`, or its only group, is the number."""
    step_regex: str | None = None
    """An expression in the same line with the step; without it, matches are counted."""
    take: Literal["last", "first", "min", "max", "mean"] = "last"
    """Which of several matches is the result."""
    json_: str | None = Field(default=None, alias="json", examples=["result.json:val.loss"])
    """A JSON file in the run's directory, and the keys of the number in it."""
    line: str | None = None
    """A key of lines of JSON in the output, or in `metrics.jsonl`."""

    @model_validator(mode="after")
    def _is_one_place(self) -> SourceSettings:
        places = [name for name in ("regex", "json_", "line") if getattr(self, name) is not None]
        if len(places) != 1:
            raise ValueError("a source has exactly one of 'regex', 'json' and 'line'")
        if self.regex is not None:
            _check_expression("regex", self.regex, "value")
        if self.step_regex is not None:
            _check_expression("step_regex", self.step_regex, "step")
        if self.json_ is not None and ":" not in self.json_:
            raise ValueError("'json' names a file and a key, as in \"result.json:val.loss\"")
        return self


def _check_expression(field: str, text: str, group: str) -> None:
    """Raise ValueError if an expression does not compile, or does not say which group it means."""
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise ValueError(f"'{field}' does not compile: {error}") from error
    if group not in compiled.groupindex and compiled.groups != 1:
        raise ValueError(f"'{field}' needs a group for the number, such as (?P<{group}>[0-9.]+)")


class MetricSettings(Config):
    """A number that each run has."""

    source: Literal["wall", "result"] | SourceSettings = "result"
    """`result`: the file at $SWEEP_RESULT, under the metric's name. `wall`: seconds of the run.
    Or a place in the output."""
    direction: Literal["minimize", "maximize"] | None = None
    """The direction in which it improves, if its name does not tell."""
    primary: bool = False
    """True for the metric that verdicts are about; without any, it is the first."""
    title: str = ""
    """Its name in sentences; by default the name itself."""
    unit: str = ""
    """Its unit in tables, such as `nats`."""
    smallest_effect: Annotated[float, Field(gt=0)] | None = None
    """Smaller effects on this metric do not matter; for the primary one see [analysis]."""

    def way(self, name: str) -> Direction | None:
        """The direction in which the metric of this name improves; None if nothing tells it."""
        if self.direction is not None:
            return Direction(self.direction)
        return Direction.MINIMIZE if self.source == "wall" else direction_of_name(name)


def metric_named(name: str, settings: MetricSettings) -> Metric:
    """The metric with these settings. Its direction must be known."""
    way = settings.way(name)
    assert way is not None  # noqa: S101  (the study was checked)
    return Metric(
        name=name,
        title=settings.title or name,
        unit=settings.unit,
        direction=way,
        smallest_effect=settings.smallest_effect or 0.0,
    )
