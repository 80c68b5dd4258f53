"""Print what a study takes to run, and the effects that it can detect."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sweep.forecast.disk_space import DiskSpace
from sweep.forecast.forecast import Forecast
from sweep.forecast.outline import ArmOutline, Outline
from sweep.forecast.pace import Pace
from sweep.forecast.power import KnownNoise, Power
from sweep.forecast.price import Price, TrainingTime, training_time
from sweep.reports.design_text import comparison_parts, design_parts
from sweep.reports.document import print_some
from sweep.reports.price_text import search_line, time_line, wanted_lines
from sweep.reports.stopped_text import stop_worse_lines
from sweep.study.overrides import shown_overrides
from sweep.terminal.console import say
from sweep.terminal.printable import shown
from sweep.terminal.units import shown_size, two_digits
from sweep.trainers.supply import Supply
from trainer.words import counted

MOST_ARMS_SHOWN = 100
"""Rows of the table of arms."""
NUMBERS = ("done", "parameters", "steps")
"""Columns of the table of arms beside the changes."""


def print_forecast(forecast: Forecast, folder: Path, console: Console) -> None:
    """Print all that `sweep plan` has to say; `folder` is the folder of runs."""
    outline, matrix = forecast.outline, forecast.matrix
    if matrix:
        print_some(design_parts(matrix, outline), console)
    else:
        print_arms(outline, console)
    _print_lines(_outline_lines(outline, forecast.time), console)
    if forecast.trials:
        say(console, search_line(forecast.trials))
    if outline.power and outline.power.noise.warning:
        say(console, outline.power.noise.warning)
    _print_lines(wanted_lines(forecast), console)
    print_some(comparison_parts(forecast.designs), console)
    if warning := disk_warning(forecast.disk, folder):
        say(console, warning, "yellow")
    for problem in forecast.problems:
        say(console, f"Before it can be run: {problem}.")


def print_arms(outline: Outline, console: Console) -> None:
    """Print a table with a row per arm, up to `MOST_ARMS_SHOWN`.

    On a narrow terminal the last of its numbers are left out, so that no name is broken in two.
    """
    arms = outline.arms()
    numbers = [
        name for name in NUMBERS if any(getattr(arm, name) for arm in arms) or name == "done"
    ]
    table = _arms_table(arms[:MOST_ARMS_SHOWN], numbers)
    while numbers and table.__rich_measure__(console, console.options).minimum > console.width:
        numbers.pop()
        table = _arms_table(arms[:MOST_ARMS_SHOWN], numbers)
    console.print(table)
    if len(arms) > MOST_ARMS_SHOWN:
        say(
            console,
            f"… and {counted(len(arms) - MOST_ARMS_SHOWN, 'more arm')}: --format json has them all.",
        )


def _arms_table(arms: Sequence[ArmOutline], numbers: Sequence[str]) -> Table:
    fields = [field for each in arms for field in each.changes]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("arm", no_wrap=True)
    longest = max(map(len, fields), default=0) + len(" =")
    table.add_column("changes", overflow="fold", min_width=longest)
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    for each in arms:
        cells = {
            "done": f"{each.done}/{each.runs}",
            "parameters": f"{each.parameters:,}",
            "steps": f"{each.steps:,}",
        }
        table.add_row(each.arm, _changes(each.changes), *(cells[title] for title in numbers))
    return table


def print_outline(outline: Outline, pace: Pace, slots: int, console: Console) -> None:
    """Print the work to do, its time with `slots` runs at a time, and the smallest visible effect."""
    time = training_time(outline, Price(pace=pace, per_hour=None), slots)
    _print_lines(_outline_lines(outline, time), console)


def disk_warning(disk: DiskSpace, folder: Path) -> str | None:
    """A warning with the needed and the free space; None if the study fits."""
    if disk.needed <= disk.free:
        return None
    parts = {
        "weights": disk.weights,
        "checkpoints": disk.checkpoints,
        "token files": disk.tokens,
        "records": disk.records,
    }
    words = ", ".join(f"{name} {shown_size(size)}" for name, size in parts.items() if size)
    return (
        f"The disk may be too small: the study needs up to {shown_size(disk.needed)} in {folder} "
        f"({words}), and {shown_size(disk.free)} are free; free "
        f"{shown_size(disk.needed - disk.free)} (`sweep gc --dry-run` lists what can be deleted), "
        'choose another folder with --runs DIR, or set jobs.keep = "nothing" to keep no weights.'
    )


def _print_lines(lines: Iterator[str], console: Console) -> None:
    for line in lines:
        say(console, line)


def _outline_lines(outline: Outline, time: TrainingTime) -> Iterator[str]:
    if outline.plan.overrides:
        yield f"Overridden: {shown_overrides(outline.plan.overrides)}."
    yield _work_line(outline)
    if outline.workload:
        inputs = outline.workload.inputs
        yield from map(_corpus_line, inputs.supplies)
        yield from (f"{note}." for note in inputs.notes(arm.spec for arm in outline.plan.arms))
    if time.runs:
        yield time_line(time)
    yield from stop_worse_lines(outline.plan)
    yield from _power_lines(outline.power)


def _changes(fields: Mapping[str, Any]) -> str:
    """`model.dropout = 0.0`, with a line for each field."""
    return ",\n".join(f"{field} = {shown(value)}" for field, value in fields.items())


def _work_line(outline: Outline) -> str:
    plan = outline.plan
    return (
        f"{plan.study.name}: {_size_words(outline)}, {len(outline.done):,} done already, "
        f"{len(outline.missing):,} to train"
        f"{_work_words(outline)}."
    )


def _size_words(outline: Outline) -> str:
    """`9 arms × 5 seeds = 45 runs`; the fewest and the most runs of a race."""
    plan, arms = outline.plan, counted(len(outline.plan.arms), "arm")
    if race := plan.study.design.race:
        return (
            f"{arms} race with {race.start} to {counted(race.most, 'seed')}: "
            f"{len(plan.first_cells)} to {outline.runs} runs"
        )
    if outline.runs != len(plan.arms) * len(plan.seeds):
        return f"{arms}, some with seeds of their own: {outline.runs:,} runs"
    return f"{arms} × {counted(len(plan.seeds), 'seed')} = {outline.runs:,} runs"


def _work_words(outline: Outline) -> str:
    """Tokens and operations of the missing runs; empty if their trainer does not count them."""
    if outline.missing and not outline.tokens:
        return ""
    return f"; {outline.tokens:,} tokens, {outline.flops:.2g} floating-point operations"


def _corpus_line(supply: Supply) -> str:
    data, corpus = supply.data, supply.corpus
    if corpus is None:
        size = supply.source.size
        amount = f", {size:,} bytes" if size else ""
        return (
            f"Corpus {shown(data.corpus)} ({data.tokenizer}): not prepared yet{amount} "
            f"({supply.source.origin().split}); "
            "`sweep data prepare STUDY` does it, or `sweep run`."
        )
    info = corpus.info
    return (
        f"Corpus {info.corpus} ({info.tokenizer}): {info.train_tokens:,} training and "
        f"{info.test_tokens:,} test tokens in {info.extent}."
    )


def _power_lines(power: Power | None) -> Iterator[str]:
    if power is None:
        yield (
            "Smallest visible effect: unknown until the baseline has run with two seeds; "
            "`sweep noise` measures it."
        )
        return
    visible, noise = power.visible, power.noise
    doubt = ", but measured under other conditions (`sweep plan` names them)"
    yield (
        f"Smallest visible effect at 80% power, {_level_words(power)}: "
        f"{_effect(visible.unpaired)} unpaired; {_paired_words(power)}. "
        f"Noise: sd {_sd(noise)}, {noise.source}{doubt if noise.warning else ''}."
    )
    if reason := _why_pairing_does_not_help(power):
        yield f"Pairing does not help here: {reason}."


def _paired_words(power: Power) -> str:
    visible = power.visible
    if not power.plan.pairs:
        return "the verdicts compare runs as unpaired (trainer.pairs = false)"
    if not visible.arms:
        return "paired, as in the verdicts, usually smaller: known once arms have run"
    low, high = visible.arms[0], visible.arms[-1]
    return (
        f"paired, as in the verdicts, {_effect(visible.paired)} in the median arm "
        f"({low.arm} {_effect(low.effect)} to {high.arm} {_effect(high.effect)})"
    )


def _why_pairing_does_not_help(power: Power) -> str | None:
    """Why a paired test detects no smaller effect than an unpaired one; None if it does."""
    unpaired, paired = power.visible.unpaired, power.visible.paired
    known = power.noise.paired
    if unpaired is None or not known or (paired is not None and paired <= unpaired):
        return None
    if known[len(known) // 2].sd > math.sqrt(2) * power.noise.sd:
        return (
            "in the runs so far, the median arm's paired differences vary more than those of "
            "unrelated runs would"
        )
    return (
        f"over {counted(len(power.plan.seeds), 'seed')} a paired test has fewer degrees of freedom"
    )


def _level_words(power: Power) -> str:
    family, settings = len(power.plan.compared), power.plan.study.analysis
    if power.alpha == settings.alpha:
        return f"alpha {power.alpha:g}"
    return f"alpha {settings.alpha:g} over {counted(family, 'arm')}"


def _sd(noise: KnownNoise) -> str:
    """Two digits of a measured standard deviation; one that was given as it is."""
    return f"{noise.sd:g}" if noise.n is None else two_digits(noise.sd)


def _effect(effect: float | None) -> str:
    return "nothing" if effect is None else two_digits(effect)
