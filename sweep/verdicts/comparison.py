"""Two runs or arms side by side: where they differ in recipe, curve, gradients and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from sweep.metrics.registry import PRIMARY
from sweep.store.metrics import run_metrics
from sweep.store.rows import RunRow
from sweep.store.store import Store
from sweep.trainers.stored_recipes import flat_recipe
from sweep.verdicts.arm_changes import Changed, recipe_changes
from sweep.verdicts.chunk_text import read_beginnings
from sweep.verdicts.curves import Curve, Point, differences, mean_curve, read_curve
from sweep.verdicts.provenance import tested_on
from sweep.workspace import Workspace
from trainer.errors import CorpusError

PARTS = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Shares of training at which the curves are compared, each with the stretch before it."""
WORST_CHUNKS = 5


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a run, or the runs of an arm by seed."""

    name: str
    recipe: Mapping[str, Any]
    runs: Mapping[int, RunRow]
    is_run: bool = False
    """True for a single run, which is compared whatever its seed is."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The values of both sides for one seed."""

    seed: int
    first: float | None
    second: float | None

    @property
    def difference(self) -> float | None:
        """Second minus first."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of training: means of both sides over its points."""

    until: int
    """Its last step."""
    first: Point
    second: Point

    @property
    def difference(self) -> float | None:
        """Mean value of the second minus that of the first."""
        if self.first.value is None or self.second.value is None:
            return None
        return self.second.value - self.first.value


@dataclass(frozen=True, kw_only=True)
class ChunkDifference:
    """A chunk of test text: the mean difference of its loss."""

    chunk: int
    """Its number, from 0."""
    begin: int
    """The number of its first token in the test text; the next chunk follows its last one."""
    difference: float
    """Second minus first, nats per token."""
    text: str | None = None
    """How it begins; None if the text cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What two sides have in common, and where they differ."""

    first: Side
    second: Side
    changes: Sequence[Changed]
    metric: str
    pairs: Sequence[Pair]
    """One for each seed that both have; for two runs with different seeds, a single one."""
    curves: tuple[Curve, Curve]
    """Means over the shared seeds."""
    differences: Mapping[int, float]
    """Second curve minus the first, by step."""
    stretches: Sequence[Stretch]
    chunks: Sequence[ChunkDifference]
    """Those with the largest differences, the highest first; empty for scripts."""
    all_chunks: int
    missing_text: str | None = None
    """Why the text of chunks cannot be read, as a sentence without its end."""

    @property
    def arises_at(self) -> int | None:
        """The step from which on the difference keeps its final sign and half of its final size.

        None if the curves share no steps. Differences are smoothed over a tenth of them.
        """
        steps, values = list(self.differences), _smoothed(list(self.differences.values()))
        if not values or values[-1] == 0:
            return None
        last = values[-1]
        found = steps[-1]
        for step, value in zip(reversed(steps), reversed(values), strict=True):
            if value / last < 0.5:
                break
            found = step
        return found


def compare(store: Store, folder: Path, first: Side, second: Side, metric: str) -> Comparison:
    """Compare two sides by the seeds that both have; of two single runs, whatever seeds they have."""
    shared = [seed for seed in first.runs if seed in second.runs]
    places = (
        [(next(iter(first.runs)), next(iter(second.runs)))]
        if first.is_run and second.is_run
        else [(seed, seed) for seed in shared]
    )
    both = [(first.runs[one], second.runs[other]) for one, other in places]
    curves = (
        mean_curve([read_curve(store, run.id, folder, metric) for run, _ in both]),
        mean_curve([read_curve(store, run.id, folder, metric) for _, run in both]),
    )
    chunks = _chunks(store, both)
    chunks.sort(key=lambda each: each.difference, reverse=True)
    worst, missing = _with_text(chunks[:WORST_CHUNKS], both, Workspace(folder).cache)
    return Comparison(
        first=first,
        second=second,
        changes=recipe_changes(first.recipe, second.recipe),
        metric=metric,
        pairs=[
            Pair(
                seed=seed,
                first=_value(store, one, metric),
                second=_value(store, other, metric),
            )
            for (seed, _), (one, other) in zip(places, both, strict=True)
        ],
        curves=curves,
        differences=differences(*curves),
        stretches=_stretches(*curves),
        chunks=worst,
        all_chunks=len(chunks),
        missing_text=missing,
    )


def _value(store: Store, run: RunRow, metric: str) -> float | None:
    """The value of a metric. A run of an import with a single one has it as its test loss."""
    if metric == PRIMARY.name:
        return run.test_loss
    known = run_metrics(store, run.id)
    return known.get(metric) if known else run.test_loss


def _stretches(first: Curve, second: Curve) -> list[Stretch]:
    """Equal shares of training, with the means of both sides over each."""
    steps = [step for step in first.points if step in second.points]
    found, begin = [], 0
    for part in PARTS:
        end = max(begin + 1, round(part * len(steps)))
        some = steps[begin:end]
        if some:
            points = [[curve.points[step] for step in some] for curve in (first, second)]
            found.append(Stretch(until=some[-1], first=_mean(points[0]), second=_mean(points[1])))
        begin = end
    return found


def _mean(points: Sequence[Point]) -> Point:
    values = [point.value for point in points]
    return Point(
        value=None if None in values else _mean_of(values),  # both sides over the same steps
        learning_rate=_mean_of([point.learning_rate for point in points]),
        grad_norm=_mean_of([point.grad_norm for point in points]),
        clipped=_mean_of([point.clipped for point in points]),
        skipped=sum(point.skipped for point in points),
    )


def _mean_of(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


def _chunks(store: Store, both: Sequence[tuple[RunRow, RunRow]]) -> list[ChunkDifference]:
    """The mean differences of all chunks, over pairs of runs that were tested on the same text."""
    found: dict[int, list[float]] = {}
    for first, second in both:
        ours, theirs = store.chunk_losses(first.id), store.chunk_losses(second.id)
        if len(ours) == len(theirs) and _test_corpus(first) == _test_corpus(second):
            for chunk, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                found.setdefault(chunk, []).append(other - one)
    start, length = _evaluation(both[0][0]) if found else (0, 0)
    return [
        ChunkDifference(chunk=chunk, begin=start + chunk * length, difference=fmean(values))
        for chunk, values in found.items()
    ]


def _test_corpus(run: RunRow) -> str:
    """The hash of the corpus whose text a run was tested on."""
    return tested_on(run.provenance) or run.corpus_hash


def _with_text(
    chunks: Sequence[ChunkDifference], both: Sequence[tuple[RunRow, RunRow]], cache: Path
) -> tuple[Sequence[ChunkDifference], str | None]:
    """The chunks with their text, or as they are with the reason why it cannot be read."""
    if not chunks:
        return [], None
    try:
        texts = read_beginnings(both[0][0], cache, [each.begin for each in chunks])
    except CorpusError as error:
        return chunks, str(error)
    pairs = zip(chunks, texts, strict=True)
    return [replace(chunk, text=text) for chunk, text in pairs], None


def _evaluation(run: RunRow) -> tuple[int, int]:
    """The first token of the text that a run was tested on, and the tokens of a chunk."""
    settings = flat_recipe(run.recipe)
    return settings["evaluation.start_token"], settings["evaluation.chunk_tokens"]


def _smoothed(values: Sequence[float]) -> list[float]:
    """Means over a tenth of the values around each."""
    half = max(1, len(values) // 20)
    return [fmean(values[max(0, at - half) : at + half + 1]) for at in range(len(values))]
