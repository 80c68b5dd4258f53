"""What a stack promised and what it was worth, in words and tables."""

from __future__ import annotations

from typing import Any

from analysis.tables.table import Column, Row, interval, probability, signed
from sweep.errors import listed
from sweep.reports.document import Document, Table
from sweep.reports.verdict_columns import time_to_settle, undecided

TOGETHER = "together"


def columns(confidence: float, *, confirmed: bool) -> list[Column]:
    """Those of the table, with what was confirmed where anything was."""
    promised = [
        Column("member", lambda row: str(row["arm"]), "left"),
        Column("alone", lambda row: signed(row["alone"]), spare=1 if confirmed else 0),
        Column("predicted", lambda row: signed(row["predicted"])),
    ]
    if not confirmed:
        return promised
    return [
        *promised,
        Column("in stack", lambda row: signed(row["contribution"])),
        Column(f"{confidence:.0%} interval", interval),
        Column("p adj.", lambda row: probability(row["p_adjusted"]), spare=3),
        Column("needed", _needed, "left"),
        Column("to settle", time_to_settle, spare=2),
    ]


def _needed(row: Row) -> str:
    return undecided(row) if row["needed"] == "undecided" else row["needed"] or ""


def rows(content: dict[str, Any]) -> list[Row]:
    """A row for each member, and one for all of them."""
    predicted, confirmed = content["predicted"], content["confirmed"]
    if predicted is None:
        return []
    sums = {
        "arm": TOGETHER,
        "alone": predicted["unshrunk"],
        "predicted": predicted["effect"],
        "contribution": confirmed and confirmed["effect"],
        "ci_low": confirmed and confirmed["ci_low"],
        "ci_high": confirmed and confirmed["ci_high"],
        "p_adjusted": confirmed and confirmed["p"],
        "needed": confirmed and confirmed["verdict"],
        "seeds_to_settle": confirmed and confirmed["seeds_to_settle"],
        "seconds_to_settle": confirmed and confirmed["seconds_to_settle"],
    }
    return [*content["members"], sums]


def stack_document(content: dict[str, Any]) -> Document:
    """All of it; as CSV the table alone."""
    shown = columns(1 - content["alpha"], confirmed=content["confirmed"] is not None)
    return Document(
        content=content,
        records=rows(content),
        parts=[
            *lines_above(content),
            *([Table(shown, rows(content))] if content["members"] else []),
            *lines_below(content),
        ],
    )


def lines_above(content: dict[str, Any]) -> list[str]:
    """Which interventions are stacked, and which are not."""
    members = [member["arm"] for member in content["members"]]
    plan = f"plan {content['plan_hash'][:12]}"
    chosen = (
        f"The stack of {content['study']} ({plan}): {' + '.join(members)}."
        if members
        else f"{content['study']} ({plan}) has no stack."
    )
    left_out = [f"{arm} ({reason})" for arm, reason in content["left_out"].items()]
    return [chosen, *([f"Left out: {', '.join(left_out)}."] if left_out else [])]


def lines_below(content: dict[str, Any]) -> list[str]:
    """What the table means."""
    if not content["members"]:
        return [f"Nothing to stack: {content['reason']}."]
    lines = [_prediction_words(content)]
    if content["confirmed"] is None:
        planned = f" Seeds that it would use: {_seeds(content)}." if content["seeds"] else ""
        return [*lines, f"Nothing was trained: {content['reason']}.{planned}"]
    lines.append(_confirmation_words(content))
    lines += [_gap_words(content)] if content["gap"] else []
    if len(content["members"]) > 1:
        lines.append(
            "In stack: the stack less what it is without the member; needed: whether leaving it out "
            "makes the stack worse."
        )
    return [*lines, _best_words(content), f"As a study: sweep report {content['stack']}"]


def _prediction_words(content: dict[str, Any]) -> str:
    predicted = content["predicted"]
    share = 1 - predicted["effect"] / predicted["unshrunk"]
    shrunk = (
        f"the sum of the effects one by one, shrunk by {share:.1%}: winners are picked for their "
        "luck too"
        if share > 0
        else "the sum of the effects one by one; from fewer than three arms nobody can tell how "
        "much luck is in them"
    )
    return f"Predicted: {signed(predicted['effect'])} ({interval(predicted)}), {shrunk}."


def _confirmation_words(content: dict[str, Any]) -> str:
    confirmed = content["confirmed"]
    words = f"Confirmed on seeds that no verdict has used before ({_seeds(content)}): "
    if confirmed["effect"] is None:
        words += "nothing yet"
    else:
        words += f"{signed(confirmed['effect'])} ({interval(confirmed)}), {confirmed['verdict']}"
    counts = [
        f"{confirmed[key]} {word}"
        for key, word in (
            ("n_diverged", "diverged"),
            ("n_failed", "failed"),
            ("n_missing", "missing"),
        )
        if confirmed[key]
    ]
    return f"{', '.join([words, *counts])}."


def _gap_words(content: dict[str, Any]) -> str:
    gap = content["gap"]
    if gap["p"] >= content["alpha"]:
        finding = "no interaction is shown"
    elif gap["effect"] > 0:
        finding = "they get in each other's way"
    else:
        finding = "they help each other"
    return f"Gap: {signed(gap['effect'])} ({interval(gap)}), p {probability(gap['p'])}: {finding}."


def _best_words(content: dict[str, Any]) -> str:
    best = content["best"]
    if best is None:
        return "Best: none; the stack is not shown to be better than the baseline."
    everything = [member["arm"] for member in content["members"]]
    idle = [member["arm"] for member in content["members"] if member["needed"] == "no"]
    words = f"Best: {' + '.join(best['members'])}, worth {signed(best['effect'])}."
    if len(best["members"]) < len(everything):
        return f"{words} Without the rest the stack is better."
    return f"{words} It does as well without {listed(idle)}." if idle else words


def _seeds(content: dict[str, Any]) -> str:
    seeds = content["seeds"]
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return listed(seeds)
