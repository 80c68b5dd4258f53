"""The columns of the table of verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from analysis.tables.table import (
    Column,
    interval_text,
    number,
    probability,
    signed,
    times,
    verdict_style,
)
from sweep.reports.run_lines import needs_runs
from sweep.terminal.units import rough_duration, supported_decimals
from sweep.verdicts.decimals import arm_mean_decimals
from sweep.verdicts.judge import ArmReport
from sweep.verdicts.references import Reference

if TYPE_CHECKING:
    from analysis.arm_verdict import ArmVerdict
    from analysis.steps import StepVerdict

SEEDS_UNKNOWN, TOO_MANY_SEEDS = "+?", "+>1,000"
"""Written in place of a number of further seeds that cannot be estimated, or if even
`analysis.settle.MAX_FURTHER` are unlikely to settle it."""

TableRow: TypeAlias = ArmReport | Reference


def verdict_columns(*, diverged: bool = False, digits: int = 4) -> list[Column[TableRow]]:
    """The columns of a report; `diverged` adds the one with the shares of diverged runs.

    `digits`: the most decimals of means and effects, which have as many as their intervals support.
    """
    columns = [
        Column("arm", lambda row: row.name, "left"),
        Column("runs", of_arms(_runs_done)),
        Column("mean", lambda row: _mean(row, digits), spare=1),
        Column("effect", lambda row: signed(row.effect, _digits(row, digits))),
        Column(
            "adj. interval",
            of_arms(lambda arm: interval_text(*arm.interval, _digits(arm, digits))),
        ),
        Column("pairing", of_arms(lambda arm: times(arm.result.pairing_gain)), spare=2),
        Column("p", of_arms(lambda arm: probability(arm.result.p)), spare=4),
        Column("p adj.", of_arms(lambda arm: probability(arm.result.p_adjusted))),
        Column("verdict", verdict_cell, "left", style=_style),
        Column("to settle", of_arms(_time_to_settle), spare=3),
    ]
    if diverged:
        # Left out first: the verdict has the number of diverged runs, too.
        columns.insert(2, Column("diverged", of_arms(_diverged), spare=5))
    return columns


def of_arms(cell: Callable[[ArmReport], str]) -> Callable[[TableRow], str]:
    """A cell that is empty in the row of a reference."""
    return lambda row: cell(row) if isinstance(row, ArmReport) else ""


def _mean(row: TableRow, most: int) -> str:
    """The mean of an arm; the loss of a reference, which is one model."""
    digits = arm_mean_decimals(row, most) if isinstance(row, ArmReport) else most
    return number(row.mean_loss, digits)


def _digits(row: TableRow, most: int) -> int:
    return supported_decimals(*row.interval, most) if isinstance(row, ArmReport) else most


def settling_time(seconds: float | None) -> str:
    """`15 min`: how long the command takes that settles it; empty if unknown or not needed."""
    return "" if seconds is None else rough_duration(seconds)


def undecided(seeds_to_settle: int | None, ci_low: float | None) -> str:
    """`undecided (+46)`: with the number of further seeds that may settle it.

    An arm without an interval (`ci_low` is None) shows no noise to compute that number from.
    """
    if seeds_to_settle is not None:
        return f"undecided (+{seeds_to_settle})"
    return f"undecided ({SEEDS_UNKNOWN if ci_low is None else TOO_MANY_SEEDS})"


def _time_to_settle(arm: ArmReport) -> str:
    return settling_time(arm.settling.seconds if arm.settling else None)


def _runs_done(arm: ArmReport) -> str:
    """`5`, or `4 of 5` if runs are missing."""
    result = arm.result
    total = result.n_ended + result.n_missing + (arm.stopped.runs if arm.stopped else 0)
    return str(total) if result.n_done == total else f"{result.n_done} of {total}"


def _diverged(arm: ArmReport) -> str:
    """`1 of 20 (0 to 25%)`: diverged runs of those that ended with or without a loss."""
    result = arm.result
    if result.divergence_rate_low is None or result.divergence_rate_high is None:
        return ""
    low, high = (100 * rate for rate in (result.divergence_rate_low, result.divergence_rate_high))
    ended = result.n_done + result.n_diverged
    return f"{result.n_diverged} of {ended} ({low:.0f} to {high:.0f}%)"


def _style(row: TableRow) -> str:
    return verdict_style(row.result.verdict if isinstance(row, ArmReport) else "reference")


def verdict_cell(row: TableRow) -> str:
    """The verdict, runs without a loss, and the marks that footnotes explain."""
    if isinstance(row, Reference):
        return "reference"
    result = row.result
    words = [_with_basis(_verdict_words(row), row)] if result.verdict else []
    if row.stopped and not words:  # by a metric that it was not stopped for
        words = [row.stopped.decision.words]
    words += [f"{row.stopped.runs} stopped"] if row.stopped else []
    words += [f"{result.n_diverged} diverged"] if result.n_diverged else []
    words += [f"{result.n_failed} failed"] if result.n_failed else []
    marks = " *" if result.sensitive else ""
    marks += " †" if row.text.rests_on_few_chunks else ""
    return ", ".join(words) + marks


def _with_basis(words: str, arm: ArmReport) -> str:
    """`better (provisional)`, `undecided (+46, provisional)`: if planned seeds have not ended."""
    if arm.result.basis != "provisional" or arm.has_yet_to_run or arm.lacks_baseline:
        return words
    return provisional(words)


def provisional(words: str) -> str:
    """A verdict of which planned runs have not ended."""
    return f"{words[:-1]}, provisional)" if words.endswith(")") else f"{words} (provisional)"


def _verdict_words(arm: ArmReport) -> str:
    result = arm.result
    if arm.stopped:
        return f"worse ({arm.stopped.decision.words})"
    if result.verdict == "undecided":
        return _undecided_words(arm)
    if result.by_margin:
        return f"{result.verdict}, by at least the margin"
    return decided_words(result)


def decided_words(result: ArmVerdict | StepVerdict) -> str:
    """Any verdict but `undecided`, with what it leaves open."""
    if result.verdict == "unstable" and result.p is not None:
        return f"unstable (converged: {result.verdict_converged})"
    if result.may_be_too_small:
        return f"{result.verdict}, may be too small to matter"
    return f"{result.verdict} (real)" if result.real_but_negligible else str(result.verdict)


def _undecided_words(arm: ArmReport) -> str:
    if arm.has_yet_to_run:
        return "undecided (no run yet)"
    if arm.lacks_baseline:
        return "undecided (no baseline)"
    if arm.result.runs_to_test is not None:
        return needs_runs(arm.result)
    return undecided(arm.result.seeds_to_settle, arm.result.ci_low)
