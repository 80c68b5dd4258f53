"""The result of a study in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweep.errors import listed
from sweep.figures.words import shown_number
from sweep.metrics.metric import Direction
from sweep.terminal.printable import harmless
from sweep.terminal.units import supported_decimals
from sweep.verdicts.changes import JudgedChange, judged_changes
from sweep.verdicts.decimals import decimals
from sweep.verdicts.judge import Report
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.decision import Verdict

MAX_NAMED = 4
"""Arms that the sentence names for each verdict."""
MAX_NAME, MAX_UNBROKEN = 40, 20
"""Characters of a name in the sentence, and of one that stays on one line."""


def answer(report: Report) -> str:
    """`3 of 9 changes lower the test loss by more than chance: lr-schedule (-0.0376), ...`."""
    found = judged_changes(report)
    if not found:
        return "The study has one arm, and nothing to compare it with."
    if all(each.effect is None and each.verdict in {None, "undecided"} for each in found):
        return f"No verdict yet, and no effect is known: {_progress(report)}."
    better = _of(found, "better")
    what, does = _what(report)
    worse, unstable = _of(found, "worse"), _of(found, "unstable")
    rest = [
        _part(worse, "worse"),
        _part(unstable, "unstable"),
        _count(found, ("negligible", "identical"), "too small to matter"),
        _count(found, ("undecided", None), "undecided"),
    ]
    kinds = [each for each in rest if each]
    total = counted(len(found), what)
    if better:
        verb = does if len(better) > 1 else f"{does}s"
        those = f"{len(better)} of {total}" if len(found) > 1 else f"The {what}"
        names = _named(better, report)
        first = f"{those} {verb} {_metric(report)} by more than chance: {names}"
    else:
        those = f"None of {total} is" if len(found) > 1 else f"The {what} is not"
        first = f"{those} shown to {does} {_metric(report)}"
    return f"{first}; {listed(kinds)}." if kinds else f"{first}."


def provisional_lines(report: Report) -> list[str]:
    """Says that runs are still to come; empty if none are."""
    missing = sum(arm.result.n_missing for arm in report.arms)
    return [f"Provisional: {_progress(report)}."] if missing and not report.imported else []


def _progress(report: Report) -> str:
    missing = sum(arm.result.n_missing for arm in report.arms)
    ended = sum(arm.result.n_ended for arm in report.arms)
    return f"{ended} of {counted(ended + missing, 'run')} have ended"


def _what(report: Report) -> tuple[str, str]:
    """The noun for what is compared, and the verb for an improvement."""
    verb = "lower" if report.direction is Direction.MINIMIZE else "raise"
    return "effect" if report.factorial else "change", verb


def _metric(report: Report) -> str:
    return f"the {harmless(report.metric.title)}" if report.metric.title else "the metric"


def _of(found: Sequence[JudgedChange], verdict: Verdict) -> list[JudgedChange]:
    """The changes with a verdict, the largest effect first."""
    those = [each for each in found if each.verdict == verdict]
    return sorted(those, key=lambda each: -abs(each.effect or 0.0))


def _named(those: Sequence[JudgedChange], report: Report) -> str:
    most = decimals(report)
    names = [
        _short(each.name)
        if each.effect is None
        else f"{_short(each.name)} ({_shown_effect(each, most)})"
        for each in those[:MAX_NAMED]
    ]
    rest = len(those) - MAX_NAMED
    return listed([*names, f"{rest} more"] if rest > 0 else names)


def _shown_effect(each: JudgedChange, most: int) -> str:
    return shown_number(each.effect or 0.0, supported_decimals(each.low, each.high, most))


def _short(name: str) -> str:
    """The name as it stands in the sentence; a short one is code, which is not broken."""
    name = harmless(name)
    if len(name) > MAX_NAME:
        return f"{name[: MAX_NAME - 1]}…"
    return f"`{name}`" if len(name) <= MAX_UNBROKEN and "`" not in name else name


def _part(those: Sequence[JudgedChange], word: str) -> str:
    if not those:
        return ""
    verb = "is" if len(those) == 1 else "are"
    return (
        f"{len(those)} {verb} {word} ({', '.join(_short(each.name) for each in those[:MAX_NAMED])})"
    )


def _count(found: Sequence[JudgedChange], verdicts: Sequence[Verdict | None], words: str) -> str:
    number = sum(each.verdict in verdicts for each in found)
    return f"{number} {'is' if number == 1 else 'are'} {words}" if number else ""
