"""Guards in a report: a column for each, a table of their figures, and sentences that explain them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.tables.table import Column, probability
from sweep.errors import listed
from sweep.metrics.bounds import change_text, worst_words
from sweep.reports.document import Table
from sweep.reports.verdict_columns import TableRow, of_arms
from sweep.terminal.printable import harmless, shown
from sweep.verdicts.guards import Guard
from sweep.verdicts.judge import ArmReport, Report
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.guards import GuardVerdict

NOT_WORSE = "not worse"
"""The answer of a guard that holds."""
STYLES = {NOT_WORSE: "green", "worse": "bold red", "open": "yellow"}
"""Rich styles of answers."""


@dataclass(frozen=True)
class Answer:
    """The answer of one guard for one arm, as a row."""

    guard: Guard
    verdict: GuardVerdict

    def change(self, value: float | None) -> str:
        """A change of the metric: `-1.2%` or `+0.0013`."""
        return "" if value is None else change_text(self.guard.bound, value)


def guard_columns(report: Report) -> list[Column[TableRow]]:
    """A column for each guard: `not worse`, `worse` or `open`."""
    return [
        Column(_title(guard), of_arms(_state(guard)), "left", style=of_arms(_style(guard)))
        for guard in report.guards
    ]


def _title(guard: Guard) -> str:
    return harmless(guard.metric.title)


def _state(guard: Guard) -> Callable[[ArmReport], str]:
    return lambda arm: guard.answers[arm.name].state if arm.name in guard.answers else ""


def _style(guard: Guard) -> Callable[[ArmReport], str]:
    return lambda arm: STYLES.get(_state(guard)(arm), "")


def guard_parts(report: Report) -> Iterator[str | Table[Answer]]:
    """Bounds, figures and claims, below the table of verdicts; nothing without guards."""
    if not report.guards:
        return
    bounds = "; ".join(
        f"{shown(each.metric.name)} {worst_words(each.bound)}" for each in report.guards
    )
    yield (
        f"Guards: {bounds}. Not worse, or worse, than that is shown one-sided at alpha "
        f"{report.analysis.alpha:g}, adjusted as p is; open is neither."
    )
    answers = [
        Answer(guard, guard.answers[arm.name])
        for guard in report.guards
        for arm in report.arms
        if arm.name in guard.answers
    ]
    if answers:
        yield Table(_figures(), answers, "Guards")
    yield from _claims(report)
    yield from _lacking(report)


def unanswered_guards(report: Report) -> Iterator[str]:
    """A sentence on the guards of a factorial, whose arms are not compared with the baseline."""
    if report.guards:
        names = listed(shown(guard.metric.name) for guard in report.guards)
        yield (
            f"Guards ({names}) are questions about single arms, and are not answered for a "
            "factorial; `sweep report --metric NAME` shows the effects in another metric."
        )


def _figures() -> list[Column[Answer]]:
    return [
        Column("guard", lambda row: _title(row.guard), "left"),
        Column("arm", lambda row: harmless(row.verdict.arm), "left"),
        Column("change", lambda row: row.change(row.verdict.change)),
        Column("adj. interval", _interval),
        Column("p not worse", lambda row: probability(row.verdict.p_not_worse), spare=1),
        Column("p worse", lambda row: probability(row.verdict.p_worse), spare=2),
        Column("shown", lambda row: row.verdict.state, "left", style=_style_of_row),
    ]


def _interval(row: Answer) -> str:
    ends = [row.change(end) for end in (row.verdict.low, row.verdict.high)]
    return ", ".join(ends) if all(ends) and row.verdict.method != "exact" else ""


def _style_of_row(row: Answer) -> str:
    return STYLES[row.verdict.state]


def _claims(report: Report) -> Iterator[str]:
    names = listed(shown(guard.metric.name) for guard in report.guards)
    kept = [arm.name for arm in report.arms if _is_kept(arm, report)]
    if kept:
        yield f"Better in {shown(report.metric.name)} and not worse in {names}: {listed(kept)}."


def _is_kept(arm: ArmReport, report: Report) -> bool:
    """True for a better arm for which all guards hold."""
    held = all(_state(guard)(arm) == NOT_WORSE for guard in report.guards)
    return held and arm.result.verdict == "better"


def _lacking(report: Report) -> Iterator[str]:
    """Runs that do not count for a guard."""
    for guard in report.guards:
        if guard.lacks_metric:
            yield f"No run has the metric {shown(guard.metric.name)}: its guard stays open."
        elif guard.lacking:
            runs = counted(guard.lacking, "run")
            yield f"{runs} without {shown(guard.metric.name)}: they do not count for its guard."
