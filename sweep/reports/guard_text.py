"""Guards in a report: a column for each, and the sentences that explain them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from analysis.tables.table import Column
from sweep.errors import listed
from sweep.metrics.bounds import worst_words
from sweep.reports.verdict_columns import TableRow, of_arms
from sweep.terminal.printable import harmless, shown
from sweep.verdicts.guards import Guard
from sweep.verdicts.judge import ArmReport, Report
from trainer.words import counted

SMALL_PERCENT = 0.1
"""Smaller changes are shown with one digit that is not zero."""
NOT_WORSE = "not worse"
"""The answer of a guard that holds."""


def guard_columns(report: Report) -> list[Column[TableRow]]:
    """A column for each guard: `not worse (-1.2%)`."""
    return [
        Column(
            harmless(guard.metric.name),
            of_arms(_cell(guard)),
            "left",
            style=of_arms(_style(guard)),
        )
        for guard in report.guards
    ]


def _cell(guard: Guard) -> Callable[[ArmReport], str]:
    def cell(arm: ArmReport) -> str:
        answer = guard.answers.get(arm.name)
        if answer is None:
            return ""
        return (
            answer.state
            if answer.change is None
            else f"{answer.state} ({_change(answer.change, guard)})"
        )

    return cell


def _style(guard: Guard) -> Callable[[ArmReport], str]:
    styles = {"not worse": "green", "worse": "bold red", "open": "yellow"}

    def style(arm: ArmReport) -> str:
        answer = guard.answers.get(arm.name)
        return styles[answer.state] if answer else ""

    return style


def _change(change: float, guard: Guard) -> str:
    if not guard.bound.is_relative:
        return f"{change:+.3g}"
    percent = 100 * change
    return (
        f"{percent:+.1f}%" if abs(percent) >= SMALL_PERCENT or change == 0 else f"{percent:+.1g}%"
    )


def guard_lines(report: Report) -> Iterator[str]:
    """Sentences below the table: the bounds, the claims that they allow, and runs that do not count."""
    if not report.guards:
        return
    bounds = "; ".join(
        f"{shown(each.metric.name)} {worst_words(each.bound)}" for each in report.guards
    )
    yield (
        f"Guards: {bounds}. Not worse, or worse, than that is shown one-sided at alpha "
        f"{report.analysis.alpha:g}, adjusted as p is; open is neither. In brackets: arm − baseline."
    )
    names = listed(shown(guard.metric.name) for guard in report.guards)
    kept = [arm.name for arm in report.arms if _is_kept(arm, report)]
    if kept:
        yield f"Better in {shown(report.metric.name)} and not worse in {names}: {listed(kept)}."
    for guard in report.guards:
        if guard.lacks_metric:
            yield f"No run has the metric {shown(guard.metric.name)}: its guard stays open."
        elif guard.lacking:
            runs = counted(guard.lacking, "run")
            yield f"{runs} without {shown(guard.metric.name)}: they do not count for its guard."


def _is_kept(arm: ArmReport, report: Report) -> bool:
    """True for a better arm for which all guards hold."""
    answers = [guard.answers.get(arm.name) for guard in report.guards]
    held = all(answer is not None and answer.state == NOT_WORSE for answer in answers)
    return held and arm.result.verdict == "better"
