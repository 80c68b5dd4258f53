"""The document of `sweep noise`: sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.tables.table import Column, number, probability, signed
from sweep.errors import listed
from sweep.noise.results import (
    Decomposition,
    NoiseStudy,
    NotDecomposed,
    PairedDifferences,
    PlacedArm,
    Rerun,
    StreamDecomposition,
    VisibleEffect,
)
from sweep.reports.document import Document, Table
from sweep.reports.seeds_text import mean_words, sd_interval, sd_words, seeds_of
from sweep.terminal.units import shown_decimals, supported_decimals, two_digits
from sweep.verdicts.decimals import sd_decimals, t_quantile
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.noise import Noise
    from analysis.normality import Normality
    from analysis.variance.streams import Stream

SEEDS_SHOWN = (2, 3, 4, 5, 7, 10, 15, 20)
"""Numbers of seeds that the table shows; the JSON has all from 1 to 20."""
MANY_SEEDS = 20
"""With fewer seeds, a test of normality has little power."""
METHODS = {"moments": "method of moments", "REML": "REML", "ML": "maximum likelihood"}
PLACED = (
    "One run of each arm against the baseline's seeds (prediction t): what a single run could "
    "have told. Its p holds for normal noise of the baseline's size; it is no verdict."
)
PAIRED = "The study itself compares seed by seed: `sweep report`."


@dataclass(frozen=True)
class VisibleRow:
    """A row of the table of smallest visible effects."""

    title: str
    effects: Mapping[int, float | None]
    """Nats, by seeds per arm."""


@dataclass(frozen=True)
class ComponentRow:
    """A row of the table of components: a stream, or what no single stream explains."""

    title: str
    sd: float
    """Nats."""
    stream: Stream | None = None


def _stream_column(title: str, cell: Callable[[Stream], str]) -> Column[ComponentRow]:
    """A column that is empty in the row without a stream."""
    return Column(title, lambda row: cell(row.stream) if row.stream else "")


def _interval(stream: Stream) -> str:
    digits = _decimals(stream)
    high = "any" if stream.ci_high is None else number(stream.ci_high, digits)
    return f"{number(stream.ci_low, digits)} to {high}"


def _sd(row: ComponentRow) -> str:
    return number(row.sd, _decimals(row.stream)) if row.stream else two_digits(row.sd)


def _decimals(stream: Stream) -> int:
    return sd_decimals(stream.ci_low, 2 * stream.sd if stream.ci_high is None else stream.ci_high)


def _two(value: float | None) -> str:
    return "" if value is None else two_digits(value)


def _visible_column(seeds: int) -> Column[VisibleRow]:
    return Column(str(seeds), lambda row: _two(row.effects[seeds]))


VISIBLE_COLUMNS: list[Column[VisibleRow]] = [
    Column("seeds", lambda row: row.title, "left"),
    *map(_visible_column, SEEDS_SHOWN),
]
COMPONENT_COLUMNS: list[Column[ComponentRow]] = [
    Column("stream", lambda row: row.title, "left"),
    _stream_column("seeds", lambda part: str(part.levels)),
    Column("sd", _sd),
    _stream_column("95% interval", _interval),
    _stream_column("share", lambda part: "" if part.share is None else f"{part.share:.0%}"),
    _stream_column("variance", lambda part: f"{part.variance:+.2e}"),
    _stream_column("F", lambda part: number(part.f, 1)),
    _stream_column("p", lambda part: probability(part.p)),
]


def placed_columns(noise: Noise) -> list[Column[PlacedArm]]:
    """The columns of single runs beside this noise of the baseline."""
    most, quantile = shown_decimals(noise.mean), t_quantile(noise.counted - 1)

    def digits(row: PlacedArm) -> int:
        """Those that the prediction interval of the difference supports."""
        half = quantile * row.difference / row.deviations if row.deviations else math.inf
        return supported_decimals(row.difference - half, row.difference + half, most)

    return [
        Column("arm", lambda row: row.arm, "left"),
        Column("one run", lambda row: number(row.loss, most)),
        Column("difference", lambda row: signed(row.difference, digits(row))),
        Column("in sd", lambda row: signed(row.deviations, digits=1)),
        Column("p", lambda row: probability(row.p)),
        Column("p adj.", lambda row: probability(row.p_adjusted)),
    ]


def noise_document(found: NoiseStudy) -> Document:
    """The whole noise study; as CSV, the placed arms alone."""
    content = found.as_json()
    parts: list[str | Table[Any]] = [
        *summary_lines(found),
        Table(VISIBLE_COLUMNS, visible_rows(found.visible_effects, found.paired_differences)),
        *visible_lines(found),
        *component_parts(found.decomposition),
    ]
    if found.arms:
        parts.append(Table(placed_columns(found.noise), found.arms))
        parts.append(f"{PLACED} {PAIRED}" if found.paired_differences.arms else PLACED)
    names = [arm.arm for arm in found.paired_differences.arms]
    return Document(content=content, records=content["arms"], parts=parts, names=names)


def summary_lines(found: NoiseStudy) -> list[str]:
    """The size of the noise, the exact rerun, and the shape of the distribution."""
    noise = found.noise
    lines = [
        (
            f"{found.study}: the baseline over {seeds_of(noise)}: mean {mean_words(noise)}, "
            f"sd {sd_words(noise)} (95% interval {sd_interval(noise)})."
        ),
        rerun_line(found.rerun),
    ]
    if found.n_diverged:
        lines.append(f"{counted(found.n_diverged, 'more seed')} diverged, not included.")
    if found.n_equal:
        lines.append(
            f"{found.n_equal} runs with distinct seeds have bit-identical losses: the seed has no effect "
            "on them, or one run is listed under several seeds, and the noise is larger than this."
        )
    return [*lines, normality_line(found.normality, noise.counted, found.alpha)]


def rerun_line(rerun: Rerun | None) -> str:
    """Whether the same run gives the same loss again."""
    if rerun is None:
        return "No exact rerun: the hardware's part of this noise is not known."
    if rerun.identical:
        return "One seed run again: bit-identical, so all of this is the seeds."
    return f"One seed run again differs by {rerun.difference:+.2e}: the hardware's own noise."


def normality_line(shape: Normality | None, n: int, alpha: float) -> str:
    """Whether the losses of `n` seeds look normal."""
    if shape is None:
        return "Normal? That takes three seeds with losses that differ."
    words = f"Normal? The QQ plot's correlation is {shape.correlation:.3f}"
    if shape.p is None:
        return f"{words}."
    if shape.p < alpha:
        finding = "the losses are not normal, and intervals and p-values are rough"
    elif n < MANY_SEEDS:
        finding = f"no sign against it, but {n} seeds would show only a large deviation"
    else:
        finding = "no sign against it"
    return f"{words}, Shapiro-Wilk p {probability(shape.p)}: {finding}."


def visible_rows(
    effects: Sequence[VisibleEffect], differences: PairedDifferences
) -> list[VisibleRow]:
    """A row for unpaired seeds and, if their noise is known, one for paired seeds."""
    rows = [VisibleRow("unpaired", {each.seeds: each.unpaired for each in effects})]
    if differences.sd:
        rows.append(VisibleRow("paired", {each.seeds: each.paired for each in effects}))
    return rows


def visible_lines(found: NoiseStudy) -> list[str]:
    """How to read the table of visible effects."""
    unpaired = (
        "Smallest effect seen with so many seeds per arm, with 80% power in one comparison at "
        f"{found.alpha:g}. One run beside these {found.noise.counted} sees "
        f"{two_digits(found.one_run_sees)}."
    )
    return [unpaired, paired_line(found.paired_differences)]


def paired_line(differences: PairedDifferences) -> str:
    """Where the sd of paired differences comes from."""
    if not differences.pairs:
        return f"No paired seeds: {differences.reason}."
    if differences.sd is None:
        return f"Paired seeds see more; how much is unknown: {differences.reason}."
    arms = differences.arms
    steadiest, noisiest = (f"{arm.arm} {two_digits(arm.sd)}" for arm in (arms[0], arms[-1]))
    return (
        f"Paired: with the sd of {differences.arm}'s differences, {two_digits(differences.sd)}, the median "
        f"of {len(arms)} arms ({steadiest} to {noisiest})."
    )


def component_parts(found: Decomposition | None) -> list[str | Table[Any]]:
    """The table of components, and how to read it."""
    if found is None:
        return []
    if isinstance(found, NotDecomposed):
        return [f"Not decomposed: {found.reason}."]
    return [Table(COMPONENT_COLUMNS, component_rows(found)), *component_lines(found)]


def component_rows(found: StreamDecomposition) -> list[ComponentRow]:
    """A row per stream, and one for the rest, unless a stream that changes with every run has it."""
    rows = [ComponentRow(name, part.sd, part) for name, part in found.streams.items()]
    return rows if found.rest_sd is None else [*rows, ComponentRow("together", found.rest_sd)]


def component_lines(found: StreamDecomposition) -> list[str]:
    """The method of a decomposition, and its limits."""
    apart = "" if found.inside or found.single else " in which every stream changes by itself"
    about = f"{found.n} runs of the baseline{apart} ({METHODS[found.method]})"
    lines = [f"Where the noise comes from: {about}; {_rest(found)}.", *_nested_lines(found)]
    negative = [name for name, part in found.streams.items() if part.variance < 0]
    if negative:
        lines.append(
            f"A negative variance ({', '.join(negative)}) is an estimate of something near zero: "
            "its sd is shown as 0."
        )
    return [*lines, f"{found.reason.capitalize()}."] if found.reason else lines


def _rest(found: StreamDecomposition) -> str:
    """What the last row of the table holds."""
    if found.rest_sd is None:
        return f"{found.single[0]} changes with every run, so its row holds all that is left"
    if found.single:
        return f"together: {listed(found.single)}, which all change with every run"
    return "together: what no stream does alone"


def _nested_lines(found: StreamDecomposition) -> list[str]:
    """How the streams' seeds lie in each other."""
    return [
        f"{name} is nested: its seeds are other ones in each seed of {listed(outer)}."
        for name, outer in found.inside.items()
    ]
