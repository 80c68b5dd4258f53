"""The table of verdicts, column by column."""

from __future__ import annotations

from analysis.tables.table import (
    Column,
    Row,
    interval,
    number,
    probability,
    signed,
    times,
    verdict_style,
)
from sweep.terminal.units import duration

NOBODY_KNOWS, TOO_MANY = "+?", "+>10,000"
"""Where no number of further seeds can be named, and where it is one that nobody will train."""
FEW_CHUNKS = "rests_on_few_chunks"


def verdict_columns(confidence: float) -> list[Column]:
    """The columns of a report, for intervals of the given confidence."""
    return [
        Column("arm", lambda row: str(row["arm"]), "left"),
        Column("runs", _runs_done),
        Column("mean", lambda row: number(row["mean"]), spare=1),
        Column("effect", lambda row: signed(row["effect"])),
        Column(f"{confidence:.0%} interval", interval),
        Column("pairing", lambda row: times(row["pairing_gain"]), spare=2),
        Column("p", lambda row: probability(row["p"]), spare=4),
        Column("p adj.", lambda row: probability(row["p_adjusted"])),
        Column("verdict", _verdict_words, "left", style=lambda row: verdict_style(row["verdict"])),
        Column("to settle", time_to_settle, spare=3),
    ]


def time_to_settle(row: Row) -> str:
    """`6 min 10 s` of training, one run at a time; nothing where none is needed or nobody knows."""
    seconds = row["seconds_to_settle"]
    return "" if seconds is None else duration(seconds)


def undecided(row: Row) -> str:
    """`undecided (+46)`: with the number of further seeds that would settle it."""
    if row["seeds_to_settle"] is not None:
        return f"undecided (+{row['seeds_to_settle']})"
    return f"undecided ({NOBODY_KNOWS if row['ci_low'] is None else TOO_MANY})"


def _runs_done(row: Row) -> str:
    """`5`, or `4 of 5` where runs are missing; nothing for a reference, which has none here."""
    if row["n_done"] is None:
        return ""
    total = sum(row[key] for key in ("n_done", "n_diverged", "n_failed", "n_missing"))
    return str(total) if row["n_done"] == total else f"{row['n_done']} of {total}"


def _verdict_words(row: Row) -> str:
    """The verdict with what a reader must know beside it."""
    words = [_verdict(row)] if row["verdict"] else []
    words += [
        f"{row[key]} {word}"
        for key, word in (("n_diverged", "diverged"), ("n_failed", "failed"))
        if row[key]
    ]
    marks = [mark for key, mark in (("sensitive", " *"), (FEW_CHUNKS, " †")) if row[key]]
    return ", ".join(words) + "".join(marks)


def has_yet_to_run(row: Row) -> bool:
    """Whether nothing can be said of an arm because none of its runs has ended."""
    ended = row["n_done"] or row["n_diverged"] or row["n_failed"]
    return bool(row["n_missing"]) and not ended


def _verdict(row: Row) -> str:
    if row["verdict"] == "undecided":
        return "undecided (no run yet)" if has_yet_to_run(row) else undecided(row)
    return f"{row['verdict']} (real)" if row["real_but_negligible"] else str(row["verdict"])
