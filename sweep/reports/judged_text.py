"""Sentences and a table on the scores of a judge: noise, bias, agreement with the test loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from analysis.tables.table import Column, interval_text, number, signed
from sweep.judging.summary import JudgedStudy
from sweep.reports.document import Document, Table
from sweep.terminal.printable import shown
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.scores import ScoreNoise

DIGITS = 2
CUT_SHARE = 0.5
"""The share of answers that were cut, from which it is said."""


def with_judged(document: Document, judged: JudgedStudy | None) -> Document:
    """A report on a judge's scores with what they say beside their means."""
    if judged is None:
        return document
    parts = [*document.parts, *judged_parts(judged)]
    content = {**document.content, "judged": judged_json(judged)}
    return replace(document, parts=parts, content=content)


def judged_json(judged: JudgedStudy) -> Mapping[str, Any]:
    """JSON values of what `judged_parts` says."""
    return {
        "runs": len(judged.files),
        "judges": list(judged.judges),
        "missing_scores": judged.missing,
        "still_falling": judged.still_falling,
        "ended_answers": judged.ended_answers,
        "noise": [asdict(each) for each in judged.noise.values()],
        "positions": [asdict(each) for each in judged.positions],
        "loss_and_score": asdict(judged.agreement) if judged.agreement else None,
    }


def judged_parts(judged: JudgedStudy) -> Iterator[str | Table[Any]]:
    """The sentences, and the table of the noise."""
    yield from _agreement(judged)
    yield from _noise(judged)
    yield from _positions(judged)
    yield from _warnings(judged)


def _agreement(judged: JudgedStudy) -> Iterator[str]:
    found = judged.agreement
    if found is None:
        yield "Test loss and score: no correlation, with fewer than three runs or without spread."
        return
    agree = "a lower loss goes with a higher score"
    if found.low <= 0 <= found.high:
        agree = "the interval contains zero: it is open whether they agree"
    elif found.r > 0:
        agree = "a lower loss goes with a LOWER score"
    yield (
        f"Test loss and score over {counted(found.runs, 'run')} of all arms: correlation "
        f"{shown_correlation(found.r)} ({shown_correlation(found.low)} to {shown_correlation(found.high)}); {agree}."
    )


def shown_correlation(r: float) -> str:
    """A correlation: `-0.93`; with more digits where two would make it perfect."""
    digits = 2 if abs(round(r, 2)) < 1 else 4
    return signed(r, digits)


def _noise(judged: JudgedStudy) -> Iterator[str | Table[Any]]:
    rows = list(judged.noise.values())
    if not rows:
        return
    first = rows[0]
    rest = "rest" if first.sd_repeats is None else "seed x item"
    yield (
        f"The verdicts hold for these {first.items} test items. The noise of a single difference to "
        "the baseline, as standard deviations in points, and the effect with its interval for other "
        "items, seeds and repeats of the same kind:"
    )
    yield Table(_noise_columns(rest), rows, "Noise of the scores")


def _noise_columns(rest: str) -> list[Column[ScoreNoise]]:
    return [
        Column("arm", lambda row: row.arm, "left"),
        Column("seeds", lambda row: number(row.sd_seeds, DIGITS)),
        Column("items", lambda row: number(row.sd_items, DIGITS)),
        Column(rest, lambda row: number(row.sd_rest, DIGITS)),
        Column("judge", lambda row: number(row.sd_repeats, DIGITS)),
        Column("effect", lambda row: signed(row.effect, DIGITS)),
        Column("other items", lambda row: interval_text(row.ci_low, row.ci_high, DIGITS)),
    ]


def _positions(judged: JudgedStudy) -> Iterator[str]:
    if not judged.positions:
        return
    listed = ", ".join(
        f"{signed(each.bias, DIGITS)} ± {each.se:.{DIGITS}f} in place {each.position + 1}"
        for each in judged.positions
    )
    yield (
        f"Bias of the judge by the place of an answer in its prompt, in points: {listed} (± the "
        "standard error). Places are drawn, so that it adds noise and favours no arm."
    )


def _warnings(judged: JudgedStudy) -> Iterator[str]:
    runs = len(judged.files)
    if len(judged.judges) > 1:
        named = "; ".join(_judge_words(each) for each in judged.judges)
        yield (
            f"Confounder: the scores come from {len(judged.judges)} judges, or versions of one "
            f"({shown(named)}). Judge all runs again with one of them."
        )
    if judged.setups > 1:
        yield (
            "Confounder: the scores come from different instruction data or fine-tune settings. "
            "Judge all runs again with the same."
        )
    if judged.missing:
        yield f"{counted(judged.missing, 'answer')} of {runs} runs have no score: no readable reply."
    if judged.still_falling:
        yield (
            f"{judged.still_falling} of {counted(runs, 'fine-tune')} ended at max_epochs before the "
            "validation loss rose; a larger max_epochs may change the scores."
        )
    if judged.ended_answers < CUT_SHARE:
        yield (
            f"{1 - judged.ended_answers:.0%} of the answers were cut at answer_tokens: these models "
            "do not end their answers."
        )


def _judge_words(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value)
