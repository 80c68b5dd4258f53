"""The outcome of a script that has ended: its metrics as a result, or the reason why there is none."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from trainer.rundir.directory import Result, RunDirectory
from trainer.scripts.curves import Curves
from trainer.scripts.environment import RESULT_FILE, Outputs, prepare_outputs
from trainer.scripts.event_files import INSTALL, EventFiles
from trainer.scripts.output import has_source
from trainer.scripts.request import MetricSource, ScriptRequest
from trainer.scripts.written_files import (
    GrowingFile,
    JsonFile,
    checked_number,
    read_object,
)

MAX_VALUE = 1e100
"""Largest metric of a run: sums of squares of larger ones may overflow."""


@dataclass
class Measurements:
    """All places where the metrics of a run are read."""

    directory: RunDirectory
    request: ScriptRequest
    outputs: Outputs
    curves: Curves
    json_files: dict[str, JsonFile]
    growing: GrowingFile
    events: EventFiles
    started: float = field(default_factory=time.time)
    """Unix time."""
    _began: float = field(default_factory=time.perf_counter)

    def read_files(self) -> bool:
        """Read what the script has added to its files of curves; False if that is nothing."""
        grown = [self.growing.read(), self.events.read()]
        return any(grown)

    def finish(self) -> dict[str, float]:
        """The metrics that the run has, which may be NaN. Raises RunDirectoryError."""
        seconds = time.perf_counter() - self._began
        self.growing.close()
        self.events.read()
        self.curves.flush()
        written = read_object(self.outputs.result)
        found = dict[str, float]()
        for name, source in self.request.metrics.items():
            value = self._value(name, source, written, seconds)
            if value is not None:
                found[name] = value
        return found

    def last_is_not_finite(self) -> bool:
        """True if the primary metric's latest value is NaN or infinite."""
        last = self.curves[self.request.primary].last
        return last is not None and not math.isfinite(last)

    def _value(
        self, name: str, source: MetricSource, written: dict[str, Any], seconds: float
    ) -> float | None:
        if name in written:
            return checked_number(written[name], name, RESULT_FILE)
        if source.wall:
            return seconds
        if source.json_file:
            return self.json_files[name].read(name)
        if name == self.request.primary and self.last_is_not_finite():
            return self.curves[name].last
        return self.curves[name].taken()


def measure(directory: RunDirectory, request: ScriptRequest, node: int = 0) -> Measurements:
    """Make ready to measure an attempt on a node: before it starts, to know what it writes."""
    outputs, metrics = prepare_outputs(directory, request, node), request.metrics
    curves = Curves(directory, metrics)
    return Measurements(
        directory,
        request,
        outputs,
        curves,
        {
            name: JsonFile(outputs.folder, source.json_file)
            for name, source in metrics.items()
            if source.json_file
        },
        GrowingFile(outputs.curves, metrics, curves),
        EventFiles(outputs.folder, metrics, curves),
    )


def result_of(
    measured: Measurements, metrics: dict[str, float], provenance: dict[str, Any], notes: list[str]
) -> Result:
    """The result of a run that has its primary metric."""
    primary = measured.request.primary
    value = metrics[primary]
    diverged = not abs(value) <= MAX_VALUE  # true for NaN, too
    return Result(
        state="diverged" if diverged else "done",
        metrics={name: each for name, each in metrics.items() if abs(each) <= MAX_VALUE},
        cause=f"{primary} is {_beyond(value)}" if diverged else None,
        diverged_at=measured.curves[primary].first_not_finite if diverged else None,
        processes=measured.request.processes,
        notes=notes,
        started=measured.started,
        first_step=measured.started,
        finished=time.time(),
        provenance=provenance,
    )


def _beyond(value: float) -> str:
    """What a value is that is no result."""
    if math.isfinite(value):
        return f"{value:g}, beyond ±{MAX_VALUE:g}"
    return "not a number" if math.isnan(value) else "infinite"


def why_missing(measured: Measurements) -> str:
    """Why a script that has ended well has no primary metric: continues `status 0, but `."""
    name = measured.request.primary
    source = measured.request.metrics.get(name, MetricSource())
    if source.regex is not None:
        return f"no line of its output matched '{source.regex}', the expression of {name}"
    if source.json_file:
        file, _, path = source.json_file.partition(":")
        return f"it wrote no {path or name} into {file} in the folder $SWEEP_RUN_DIR, where {name} is read"
    key = source.line or name
    unread = f" (its TensorBoard files need {INSTALL})" if measured.events.unreadable else ""
    places = f"no JSON line of its output or of metrics.jsonl had {key!r}{unread}"
    if has_source(source):
        return f"{places}, where {name} is read"
    return f"it wrote no {name} into the file $SWEEP_RESULT, and {places}"
