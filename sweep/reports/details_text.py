"""Further tests of a study: tables and sentences of `sweep report --details`, and their JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from analysis.multiplicity import CORRECTIONS
from analysis.tables.table import Column, interval_text, probability
from sweep.reports.document import Table, finite
from sweep.terminal.printable import harmless
from sweep.terminal.units import supported_decimals

if TYPE_CHECKING:
    from analysis.details import ArmDetails, Details

DIGITS = 4
"""Most decimals of intervals."""
UNADJUSTED = "none"
"""The correction that leaves p as it is; its column is called p."""


def details_json(details: Details) -> dict[str, Any]:
    """JSON values of further tests; None where a test does not apply."""
    return finite(asdict(details))


def details_parts(details: Details, alpha: float) -> Iterator[str | Table[ArmDetails]]:
    """Tables of further tests by arm, each below a sentence that says what it shows."""
    rows = details.arms
    yield "Details. One-sided p of an effect below and above zero; and two-sided, without pairs:"
    yield Table(_tests(), rows, "Further tests")
    yield f"Two one-sided tests of equivalence, and Dunnett's comparisons without pairs, alpha {alpha:g}:"
    yield Table(_intervals(alpha), rows, "Equivalence, and Dunnett's comparisons")
    yield "The p of each verdict, adjusted for the family by each correction:"
    yield Table(_corrections(), rows, "p by correction")
    yield from _sentences(details)


def _arm() -> Column[ArmDetails]:
    return Column("arm", lambda row: harmless(row.arm), "left")


def _tests() -> list[Column[ArmDetails]]:
    return [
        _arm(),
        Column("p below 0", lambda row: probability(row.p_less)),
        Column("p above 0", lambda row: probability(row.p_greater)),
        Column("Mann-Whitney", lambda row: probability(row.p_mann_whitney)),
        Column("permutation", lambda row: probability(row.p_permutation_unpaired)),
    ]


def _intervals(alpha: float) -> list[Column[ArmDetails]]:
    return [
        _arm(),
        Column("p equiv.", lambda row: probability(row.p_negligible)),
        Column(
            f"{1 - 2 * alpha:.0%} interval",
            lambda row: _interval(row.equivalence_low, row.equivalence_high),
        ),
        Column("p Dunnett", lambda row: probability(row.dunnett.p) if row.dunnett else ""),
        Column(
            f"Dunnett {1 - alpha:.0%}",
            lambda row: _interval(row.dunnett.ci_low, row.dunnett.ci_high) if row.dunnett else "",
        ),
    ]


def _interval(low: float | None, high: float | None) -> str:
    return interval_text(low, high, supported_decimals(low, high, DIGITS))


def _corrections() -> list[Column[ArmDetails]]:
    return [
        _arm(),
        *map(_correction, (UNADJUSTED, *(each for each in CORRECTIONS if each != UNADJUSTED))),
    ]


def _correction(name: str) -> Column[ArmDetails]:
    title = "p" if name == UNADJUSTED else name
    spare = 1 if name == "bonferroni" else 0  # the widest title
    return Column(title, lambda row: probability(row.p_adjusted_by.get(name)), spare=spare)


def _sentences(details: Details) -> Iterator[str]:
    if found := details.brown_forsythe:
        of, rest = found.df
        yield (
            f"Brown and Forsythe's test of equal spreads of losses: F({of}, {rest}) = {found.f:.2f}, "
            f"p {probability(found.p)}."
        )
    if order := details.run_order:
        yield (
            f"Lag-1 correlation of {order.runs} runs in the order in which they ended, arm and seed "
            f"taken out: {order.correlation:+.2f}, {order.expected:+.2f} expected without drift of the "
            f"machine, p {probability(order.p)}."
        )
    else:
        yield "The order in which runs ended is unknown, or the runs are too few: no lag-1 correlation."
