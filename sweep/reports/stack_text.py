"""The result of a stack as a document: a table, and the sentences above and below it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from analysis.tables.table import Column, interval_text, probability, signed
from sweep.errors import listed
from sweep.reports.document import Document, Table
from sweep.reports.stack_json import left_out_words, not_trained_words, stack_json
from sweep.reports.verdict_columns import undecided
from sweep.terminal.units import supported_decimals
from sweep.verdicts.needed import Needed
from sweep.verdicts.stack_result import (
    ConfirmedEffect,
    MemberResult,
    Prediction,
    StackResult,
)

if TYPE_CHECKING:
    from analysis.stacking import Gap

DIGITS = 4
"""Decimals of effects whose intervals support so many, or that have none."""
TOGETHER = "together"
"""Name of the row for all members together."""


def stack_document(result: StackResult) -> Document:
    """The document of a stack; its CSV has a record for each row of the table."""
    rows = stack_rows(result)
    columns = stack_columns(1 - result.alpha, confirmed=result.confirmed is not None)
    return Document(
        content=stack_json(result),
        records=[asdict(row) for row in rows],
        parts=[
            *lines_above(result),
            *([Table(columns, rows)] if rows else []),
            *lines_below(result),
        ],
        names=[*(row.arm for row in result.members), *result.left_out],
    )


def stack_columns(confidence: float, *, confirmed: bool) -> list[Column[MemberResult]]:
    """The columns of the table; `confirmed` adds those of a stack that was trained."""
    promised = [
        Column[MemberResult]("member", lambda row: row.arm, "left"),
        Column[MemberResult]("alone", lambda row: signed(row.alone), spare=1 if confirmed else 0),
        Column[MemberResult]("predicted", lambda row: signed(row.predicted)),
    ]
    if not confirmed:
        return promised
    return [
        *promised,
        Column("in stack", lambda row: signed(row.contribution, _digits(row))),
        Column(
            f"{confidence:.0%} interval",
            lambda row: interval_text(row.ci_low, row.ci_high, _digits(row)),
        ),
        Column("p adj.", lambda row: probability(row.p_adjusted), spare=3),
        Column("needed", _needed_words, "left"),
    ]


def _with_interval(found: Prediction | ConfirmedEffect | Gap) -> str:
    """`-0.0718 (-0.0812, -0.0624)`."""
    low, high = found.ci_low, found.ci_high
    digits = supported_decimals(low, high, DIGITS)
    return f"{signed(found.effect, digits)} ({interval_text(low, high, digits)})"


def _digits(row: MemberResult) -> int:
    return supported_decimals(row.ci_low, row.ci_high, DIGITS)


def _needed_words(row: MemberResult) -> str:
    if row.needed == Needed.UNDECIDED:
        return undecided(row.seeds_to_settle, row.ci_low)
    return row.needed or ""


def stack_rows(result: StackResult) -> list[MemberResult]:
    """A row for each member, and one for all together."""
    if result.predicted is None:
        return []
    members = result.members
    together = MemberResult(
        arm=TOGETHER, alone=result.predicted.unshrunk, predicted=result.predicted.effect
    )
    confirmed = result.confirmed
    if confirmed is None:
        return [*members, together]
    together = replace(
        together,
        contribution=confirmed.effect,
        ci_low=confirmed.ci_low,
        ci_high=confirmed.ci_high,
        p_adjusted=confirmed.p,
        needed=confirmed.verdict,
        seeds_to_settle=confirmed.seeds_to_settle,
    )
    return [*members, together]


def lines_above(result: StackResult) -> list[str]:
    """The interventions that are stacked, and those that are not."""
    members = " + ".join(member.arm for member in result.members)
    plan = f"plan {result.plan_hash[:12]}"
    chosen = (
        f"The stack of {result.study} ({plan}): {members}."
        if members
        else f"{result.study} ({plan}) has no stack."
    )
    left_out = [f"{arm} ({left_out_words(each)})" for arm, each in result.left_out.items()]
    return [chosen, *([f"Left out: {', '.join(left_out)}."] if left_out else [])]


def lines_below(result: StackResult) -> list[str]:
    """The sentences below the table: prediction, confirmation, gap and best stack."""
    reason = not_trained_words(result)
    if result.predicted is None:
        return [f"Nothing to stack: {reason}."]
    lines = [_prediction_words(result.predicted)]
    if result.confirmed is None:
        planned = f" Seeds that it would use: {_seeds(result)}." if result.seeds else ""
        return [*lines, f"Nothing was trained: {reason}.{planned}"]
    lines.append(_confirmation_words(result.confirmed, result))
    lines += [_gap_words(result.gap, result.alpha)] if result.gap else []
    if len(result.members) > 1:
        lines.append(
            "In stack: the stack less what it is without the member; needed: whether leaving it out "
            "makes the stack worse."
        )
    return [*lines, _best_words(result), f"As a study: sweep report {result.stack}"]


def _prediction_words(predicted: Prediction) -> str:
    share = 1 - predicted.effect / predicted.unshrunk
    shrunk = (
        f"the sum of the effects one by one, shrunk by {share:.1%}: winners are picked for their "
        "luck too"
        if share > 0
        else "the sum of the effects one by one; fewer than three arms cannot tell how much luck is "
        "in them"
    )
    return f"Predicted: {_with_interval(predicted)}, {shrunk}."


def _confirmation_words(confirmed: ConfirmedEffect, result: StackResult) -> str:
    words = f"Confirmed on seeds that no verdict has used before ({_seeds(result)}): "
    if confirmed.effect is None:
        words += "nothing yet"
    else:
        words += f"{_with_interval(confirmed)}, {confirmed.verdict}"
    counts = {
        "diverged": confirmed.n_diverged,
        "failed": confirmed.n_failed,
        "missing": confirmed.n_missing,
    }
    return ", ".join([words, *(f"{n} {state}" for state, n in counts.items() if n)]) + "."


def _gap_words(gap: Gap, alpha: float) -> str:
    if gap.p >= alpha:
        finding = "no interaction is shown"
    elif gap.effect > 0:
        finding = "they get in each other's way"
    else:
        finding = "they help each other"
    return f"Gap: {_with_interval(gap)}, p {probability(gap.p)}: {finding}."


def _best_words(result: StackResult) -> str:
    best = result.best
    if best is None:
        return "Best: none; the stack is not shown to be better than the baseline."
    idle = [member.arm for member in result.members if member.needed == Needed.NO]
    words = f"Best: {' + '.join(best.members)}, worth {signed(best.effect)}."
    if len(best.members) < len(result.members):
        return f"{words} Without the rest the stack is better."
    return f"{words} It does as well without {listed(idle)}." if idle else words


def _seeds(result: StackResult) -> str:
    """`8 to 12`, or a list if there are gaps."""
    seeds = list(result.seeds)
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return listed(seeds)
