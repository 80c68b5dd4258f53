"""The steps of a study as a table, sentences and JSON: what each arm adds to the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from analysis.tables.table import Column, interval_text, probability, signed, verdict_style
from sweep.reports.document import Table, finite
from sweep.reports.verdict_columns import decided_words, provisional, undecided
from sweep.terminal.printable import harmless, shown
from sweep.terminal.units import supported_decimals
from sweep.verdicts.decimals import decimals
from sweep.verdicts.judge import Report
from sweep.verdicts.steps import StudyStep
from trainer.words import counted


def step_parts(report: Report) -> Iterator[str | Table[StudyStep]]:
    """The table of steps and the sentences that explain it; nothing without steps."""
    if not report.steps:
        return
    how = "seed by seed" if report.pairs else "over all runs of both"
    yield (
        "Each step on the one before: the arm − the arm that it adds one change to, "
        f"{how}. p is adjusted over {counted(len(report.steps), 'step')} "
        f"({report.analysis.correction}), apart from the verdicts above."
    )
    yield Table(_columns(decimals(report)), report.steps, "Steps")
    yield from _notes(report)


def step_json(step: StudyStep) -> dict[str, Any]:
    """JSON values of a step."""
    result = finite(asdict(step.result))
    return {"arm": result.pop("arm"), "adds": step.adds, "before": result.pop("before"), **result}


def step_line(report: Report, one: str, other: str) -> str:
    """The verdict on the step between two arms, in either order; empty if there is none."""
    for step in report.steps:
        if {step.arm, step.before} == {one, other}:
            return (
                f"Verdict of {report.study}: {shown(step.arm)}, which adds {shown(step.adds)} to "
                f"{shown(step.before)}: {step_verdict(step)}."
            )
    return ""


def step_verdict(step: StudyStep) -> str:
    """The verdict in words, as in the table of arms."""
    result = step.result
    if result.verdict == "undecided" and not result.n:
        words = "undecided (no pair of runs)"
    elif result.verdict == "undecided":
        words = undecided(result.seeds_to_settle, result.ci_low)
    else:
        words = decided_words(result)
    if result.basis == "provisional" and result.n:
        words = provisional(words)
    return f"{words}, {result.n_diverged} diverged" if result.n_diverged else words


def _columns(digits: int) -> list[Column[StudyStep]]:
    return [
        Column("step", lambda row: row.arm, "left"),
        Column("adds", lambda row: row.adds, "left", spare=2),
        Column("added to", lambda row: row.before, "left"),
        Column("n", lambda row: str(row.result.n), spare=3),
        Column("difference", lambda row: signed(row.result.effect, _digits(row, digits))),
        Column("adj. interval", lambda row: _interval(row, digits), spare=1),
        Column("p", lambda row: probability(row.result.p), spare=4),
        Column("p adj.", lambda row: probability(row.result.p_adjusted)),
        Column(
            "verdict", step_verdict, "left", style=lambda row: verdict_style(row.result.verdict)
        ),
    ]


def _interval(row: StudyStep, digits: int) -> str:
    low, high = row.result.ci_low_adjusted, row.result.ci_high_adjusted
    return interval_text(low, high, _digits(row, digits))


def _digits(row: StudyStep, most: int) -> int:
    return supported_decimals(row.result.ci_low_adjusted, row.result.ci_high_adjusted, most)


def _notes(report: Report) -> Iterator[str]:
    """What e-values and the numbers of further seeds mean, where the table has them."""
    results = [step.result for step in report.steps]
    later = [each for each in results if each.basis == "looks"]
    if any(each.method == "e-value" for each in later):
        which = "These verdicts rest" if len(later) == len(results) else "Some of these rest"
        yield f"{which} on e-values, which hold whatever decided the number of seeds."
    open_steps = [step for step in report.steps if step.result.seeds_to_settle]
    if open_steps:
        yield f"(+n) n more seeds of both arms are likely to settle the step{_how(report, open_steps)}."


def _how(report: Report, steps: Sequence[StudyStep]) -> str:
    """What to type for it, as the end of a sentence."""
    if not report.is_primary:
        return ""
    one, command = steps[0], "`sweep settle ARM --after OTHER` trains them"
    if len(steps) == 1:
        command = command.replace("ARM", harmless(one.arm)).replace("OTHER", harmless(one.before))
    return f": {command}, and the baseline's"
