"""The page of a run: what it is, its result, its curve, its attempts, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.metrics.registry import KNOWN
from sweep.progress.words import result_words
from sweep.reports.page import Facts, Part, Plot
from sweep.reports.plot import Series
from sweep.store.rows import AttemptRow, PlannedRun, RunRow
from sweep.store.states import RunState
from sweep.terminal.units import duration, local_time, shown_size
from sweep.verdicts.arm_changes import Changed
from sweep.verdicts.curves import Curve
from trainer.words import capitalized, counted

MAX_FACTS = 12
"""Metrics and packages that are listed."""


@dataclass(frozen=True, kw_only=True)
class RunFactsheet:
    """All that a run's page says."""

    run: RunRow
    place: PlannedRun | None
    """Study, arm and seed, if they are known."""
    baseline: str = ""
    """The study's baseline."""
    changes: Sequence[Changed] = ()
    """What its arm sets against the baseline."""
    reasons: Sequence[str] = ()
    baseline_loss: float | None = None
    """The test loss of the baseline's run with the same seed."""
    imported_metric: str = ""
    """The metric that the test loss of an import stands for; empty if it is one."""
    metrics: Mapping[str, float]
    attempts: Sequence[AttemptRow]
    curve: Curve
    directory: Path


PROVENANCE = {"metric": "version of the metric", "device_type": "kind of device"}
"""What the page calls entries of the provenance."""


def run_page(sheet: RunFactsheet) -> list[Part]:
    """The page, from the result to the provenance."""
    run, name = sheet.run, run_name(sheet)
    parts: list[Part] = [f"{name}: {_outcome(sheet)}.", Facts(list(_facts(sheet)))]
    values = sheet.curve.values
    if values:
        parts.append(
            Plot(
                f"{capitalized(sheet.curve.metric)} of {name}",
                [Series(name, list(sheet.curve.points), values)],
            )
        )
    parts += ["", "Attempts:"] if sheet.attempts else []
    parts += [f"  {attempt_line(attempt)}" for attempt in sheet.attempts]
    provenance = list(_provenance(run.provenance or {}))
    parts += ["", "Provenance:", Facts(provenance)] if provenance else []
    return [*parts, "", *_further(sheet)]


def run_name(sheet: RunFactsheet) -> str:
    """`no-dropout/3 of x`, or the beginning of the id."""
    place = sheet.place
    return f"{place.arm}/{place.seed} of {place.study}" if place else f"run {sheet.run.id[:12]}"


def attempt_line(attempt: AttemptRow) -> str:
    """When an attempt began, and how it ended."""
    outcome = attempt.outcome or "running"
    lasted = f" after {duration(attempt.ended - attempt.claimed)}" if attempt.ended else ""
    peak = f", at most {shown_size(attempt.peak_bytes)} of memory" if attempt.peak_bytes else ""
    reason = f": {attempt.reason}" if attempt.reason else ""
    return f"{attempt.number}, {local_time(attempt.claimed)}: {outcome}{lasted}{peak}{reason}"


def changed_words(change: Changed, other: str = "baseline") -> str:
    """`model.dropout = 0.0 (baseline: 0.1)`."""
    return f"{change.field} = {shown_value(change.second)} ({other}: {shown_value(change.first)})"


def shown_value(value: Any) -> str:  # noqa: ANN401  (JSON)
    """A value of a recipe; `unset` for None."""
    if value is None:
        return "unset"
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _outcome(sheet: RunFactsheet) -> str:
    run = sheet.run
    if run.state is RunState.DONE:
        if sheet.imported_metric and run.test_loss is not None:
            return f"done, {sheet.imported_metric} {run.test_loss:.6g}"
        words = result_words(run, dict(list(sheet.metrics.items())[:MAX_FACTS]))
        per_byte = (
            f" nats per token, {run.bits_per_byte:.4f} bits per byte" if run.bits_per_byte else ""
        )
        return f"done, {words}{per_byte}"
    if run.state is RunState.DIVERGED:
        return result_words(run, {})
    return f"{run.state}{f': {run.cause}' if run.cause else ''}"


def _facts(sheet: RunFactsheet) -> Iterator[tuple[str, str]]:
    run = sheet.run
    if sheet.place and sheet.place.arm == sheet.baseline:
        yield "arm", "the baseline"
    yield "sets", ", ".join(map(changed_words, sheet.changes))
    yield "because", " ".join(sheet.reasons)
    if run.test_loss is not None and sheet.baseline_loss is not None and sheet.place:
        difference = run.test_loss - sheet.baseline_loss
        yield (
            "effect",
            (
                f"{difference:+.4f} against {sheet.baseline}/{sheet.place.seed} "
                f"({sheet.baseline_loss:.4f}); one pair is no verdict"
            ),
        )
    yield "seeds", f"init {run.init_seed}, order {run.order_seed}, dropout {run.dropout_seed}"
    yield "training", _training(run)
    yield "time", _time(run)
    if run.repeat_of:
        yield "repeats", f"run {run.repeat_of[:12]} exactly"
    others = {name: value for name, value in sheet.metrics.items() if name not in ELSEWHERE}
    yield (
        "metrics",
        ", ".join(metric_words(*each) for each in list(others.items())[:MAX_FACTS]),
    )
    yield "notes", " ".join(run.notes or ())
    yield "run", run.id[:12]
    yield "directory", str(sheet.directory)


ELSEWHERE = {"test_loss", "bits_per_byte", "tokens_per_second", "train_seconds"}
"""Metrics that the page has in other lines."""
LONGEST_COUNT = 1e15
"""A larger number is written with an exponent."""


def metric_words(name: str, value: float) -> str:
    """`peak_memory_bytes 465.6 MB`, `parameters 136,704`, `accuracy 0.93125`."""
    if name in KNOWN and KNOWN[name].unit == "bytes":
        return f"{name} {shown_size(value)}"
    is_count = float(value).is_integer() and abs(value) < LONGEST_COUNT
    return f"{name} {value:,.0f}" if is_count else f"{name} {value:.6g}"


def _training(run: RunRow) -> str:
    words = []
    if run.steps:
        words.append(counted(run.steps, "step"))
    if run.tokens:
        words.append(f"{run.tokens:,} tokens")
    if run.tokens_per_second:
        words.append(f"{run.tokens_per_second:,.0f} tokens/s")
    if run.micro_batch:
        words.append(f"micro-batch {run.micro_batch}")
    if run.processes and run.processes > 1:
        words.append(f"{run.processes} processes")
    if run.skipped_steps:
        words.append(f"{counted(run.skipped_steps, 'step')} skipped: the gradient was not finite")
    return ", ".join(words)


def _time(run: RunRow) -> str:
    if run.started is None:
        return ""
    began = local_time(run.started)
    if run.finished is None:
        return f"began {began}"
    return f"{began}, {duration(run.finished - run.started)}"


def _provenance(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    known = {
        name: value for name, value in known.items() if name not in {"micro_batch", "processes"}
    }
    dirty = " with uncommitted changes" if known.get("dirty") else ""
    for name, value in known.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = str(value)
            yield (
                PROVENANCE.get(name, name.replace("_", " ")),
                f"{text[:12]}{dirty}" if name == "commit" else text,
            )
        elif name == "corpus" and isinstance(value, Mapping):
            yield "corpus", f"{value.get('corpus')}, hash {str(value.get('hash'))[:12]}"
        elif isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values()):
            items = [f"{key} {each}" for key, each in value.items()]
            yield name, ", ".join(items[:MAX_FACTS])


def _further(sheet: RunFactsheet) -> list[str]:
    place, run = sheet.place, sheet.run.id[:12]
    lines = [
        f"`sweep log {run}` shows what it printed, `sweep show {run} --format json` all fields."
    ]
    if place and place.arm != sheet.baseline:
        lines.append(
            f"`sweep compare {sheet.baseline}/{place.seed} {place.arm}/{place.seed} --study "
            f"{place.study}` compares it with the baseline."
        )
    return lines
