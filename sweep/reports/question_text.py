"""Margin, target and exchange in a report: a table of their own, and sentences on it."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.tables.table import Column, number, probability
from sweep.errors import listed
from sweep.metrics.metric import Direction
from sweep.reports.document import Table
from sweep.verdicts.decimals import arm_mean_decimals, decimals
from sweep.verdicts.judge import ArmReport, Report


def question_parts(report: Report) -> Iterator[str | Table[ArmReport]]:
    """A sentence on each further question that the plan or the command line asks, and the answers."""
    lines = list(_lines(report))
    if not lines:
        return
    yield from lines
    most = decimals(report)
    columns: list[Column[ArmReport]] = [
        Column("arm", lambda arm: arm.name, "left"),
        Column("mean", lambda arm: number(arm.mean_loss, arm_mean_decimals(arm, most))),
        Column("p margin", lambda arm: probability(arm.result.p_margin_adjusted)),
        Column("p target", lambda arm: probability(arm.result.p_target)),
        Column("tokens", worth_text),
    ]
    yield Table(columns, report.arms, "Further questions")
    if any(arm.result.worth_is_extrapolated for arm in report.arms):
        yield "~ lies outside the budgets that were trained: an extrapolation."


def _lines(report: Report) -> Iterator[str]:
    settings, alpha = report.analysis, f"{report.analysis.alpha:g}"
    if settings.margin is not None:
        yield (
            f"p margin: one-sided, small if the arm is shown to be better by {settings.margin:g} or more; "
            f"adjusted as p is. Below {alpha}, the verdict says so."
        )
    if settings.target is not None:
        side = "below" if report.direction is Direction.MINIMIZE else "above"
        yield (
            f"p target: one-sided, small if the arm's mean is shown to be {side} {settings.target:g}; "
            "for each arm by itself, not adjusted."
        )
    if settings.exchange:
        factors = listed(f"{factor:g}" for factor in settings.exchange)
        yield (
            f"tokens: what an effect is worth, by the baseline with {factors} times its tokens; "
            f"{1 - settings.alpha:.0%} intervals by Fieller, not adjusted."
        )
    if report.questions:
        asked = ", ".join(
            f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}"
            for name, value in report.questions.items()
        )
        yield f"Asked on the command line, not in the plan: {asked}."


def worth_text(arm: ArmReport) -> str:
    """`+12% (+9, +15)`: the effect in tokens with its interval; `~` before an extrapolated one."""
    found = arm.result
    ends = found.worth_tokens_low, found.worth_tokens_high
    if found.worth_tokens is None or None in ends:
        return ""
    low, high = (_percent(end) for end in ends if end is not None)
    mark = "~" if found.worth_is_extrapolated else ""
    return f"{mark}{_percent(found.worth_tokens)}% ({low}, {high})"


def _percent(share: float) -> str:
    """`+12`; `+>999` for more than ten times the tokens."""
    return "+>999" if share > 9.99 else f"{100 * share:+.0f}"
