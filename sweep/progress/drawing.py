"""Draw a live display: standings, running runs, and how far the study is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from sweep.progress.columns import GAP, Column, lines
from sweep.progress.intervals import interval_marks
from sweep.progress.screen import Screen, SlotRow, Standing
from sweep.terminal.printable import printable
from sweep.terminal.units import shown_decimals, shown_size, supported_decimals
from trainer.words import counted

ECHO = len("^C")
"""Columns behind the last line for what the terminal echoes: a line more would move the display."""
MIN_BAR = 8
MIN_TABLE = 3
"""Rows for which a table is worth its place: titles and two rows."""
WIDE = 100
"""Columns from which on intervals are drawn, too."""
MARKS = 29
"""Columns of the drawn intervals."""
MEANINGS: Sequence[tuple[tuple[str, ...], str]] = (
    (("better", "worse"), "not chance"),
    (("negligible",), "too small to matter"),
    (("undecided",), "open"),
    (("unstable",), "diverges more often"),
    (("identical",), "no effect at all"),
)
"""Verdicts, and what they mean in the fewest words: 80 columns hold the first three."""


def draw(screen: Screen, width: int, height: int, *, unicode: bool = True) -> list[Text]:
    """Lines for a terminal of this size. The last ones are the most important ones."""
    end = [*_notices(screen, width), _bar(screen, max(1, width - ECHO), unicode=unicode)]
    room = max(0, height - len(end))
    slots = _cropped(_slots(screen, width), room, "run")
    room -= len(slots)
    standings = []
    if room > MIN_TABLE:
        table = _standings(screen, width, unicode=unicode)
        standings = _cropped(table, room - 1, "arm")
        if table and len(table) < room - 1:
            standings += _meanings(screen, width)
    gap = [Text()] if standings and (slots or end) else []
    return [*standings, *gap, *slots, *end]


def _cropped(table: list[Text], room: int, noun: str) -> list[Text]:
    """The titles and as many rows as there is room for."""
    if len(table) <= room:
        return table
    if room < MIN_TABLE:
        return table[1 : 1 + room] if room > 0 else []
    more = len(table) - room + 1
    return [*table[: room - 1], Text(f"and {counted(more, f'more {noun}')}", "dim")]


def _bar(screen: Screen, width: int, *, unicode: bool) -> Text:
    left = screen.left
    count = f" {screen.ended}/{screen.total} "
    further = GAP.join(_further(screen))
    if further and len(f"runs {count}{left}{GAP}{further}") + MIN_BAR <= width:
        left = f"{left}{GAP}{further}" if left else further
    room = max(0, width - len(f"runs {count}{left}"))
    share = (screen.ended + screen.under_way) / screen.total if screen.total else 1.0
    full = min(room, round(room * min(1.0, share)))
    done, rest = ("━", "─") if unicode else ("#", "-")
    text = Text("runs ", "bold")
    text.append(done * full, "cyan").append(rest * (room - full), "dim")
    text.append(count, "green").append(left, "none")
    text.truncate(width)
    return text


def _further(screen: Screen) -> list[str]:
    words = []
    if screen.failed:
        words.append(f"{screen.failed} failed")
    if screen.retried:
        words.append(f"{screen.retried} tried again")
    if screen.free_bytes is not None:
        words.append(f"{shown_size(screen.free_bytes)} free")
    return words


def _notices(screen: Screen, width: int) -> list[Text]:
    made = []
    for sentence in screen.notices:
        line = Text(printable(sentence), "yellow")
        line.truncate(width, overflow="ellipsis")
        made.append(line)
    return made


def _slots(screen: Screen, width: int) -> list[Text]:
    rows = screen.slots
    if not rows:
        return []
    names = list(dict.fromkeys(row.metric for row in rows))
    values = [row.note or _value(row) if not screen.stopping else "stopping" for row in rows]
    columns = [
        Column("slot", [row.slot for row in rows], right=False),
        Column("run", [row.label for row in rows], right=False, shrinks=True),
        Column("step", [_step(row) for row in rows]),
        Column(names[0] if len(names) == 1 else "value", values),
        Column("vs baseline", [_difference(row) for row in rows], spare=3),
        Column("tokens/s", [_speed(row) for row in rows], spare=4),
        Column("memory", [_size(row.memory) for row in rows], spare=5),
        Column("GPU", [row.gpu for row in rows], spare=6),
    ]
    return lines(columns, width)


def _value(row: SlotRow) -> str:
    return (
        ""
        if row.value is None
        else f"{row.value:.4g}"
        if row.metric != "loss"
        else f"{row.value:.3f}"
    )


def _step(row: SlotRow) -> str:
    return f"{row.step}/{row.steps}" if row.steps else f"{row.step}"


def _difference(row: SlotRow) -> str:
    return "" if row.difference is None else f"{row.difference:+.4f}"


def _speed(row: SlotRow) -> str:
    return "" if row.tokens_per_second is None else f"{row.tokens_per_second:,.0f}"


def _size(size: int | None) -> str:
    return "" if size is None else shown_size(size)


def _standings(screen: Screen, width: int, *, unicode: bool) -> list[Text]:
    """The baseline, then the arms from the lowest effect to the highest."""
    if not any(each.effect is not None for each in screen.standings):
        return []
    baseline, *arms = screen.standings
    arms.sort(key=lambda each: (each.effect is None, each.effect or 0.0))
    rows, digits = [baseline, *arms], shown_decimals(baseline.mean)  # those of the report
    marks = interval_marks(rows, MARKS, unicode=unicode) if width >= WIDE else [""] * len(rows)
    columns = [
        Column("arm", [row.arm for row in rows], right=False, shrinks=True),
        Column("runs", [f"{row.ended}/{row.planned}" for row in rows]),
        Column("effect", [_effect(row, digits) for row in rows]),
        Column("adj. interval", [_interval(row, digits) for row in rows], spare=2),
        Column("", marks, right=False, spare=4),
        Column(
            "verdict so far",
            [row.verdict for row in rows],
            right=False,
            spare=1,
            styles=[row.style for row in rows],
        ),
    ]
    return lines(columns, width)


def _meanings(screen: Screen, width: int) -> list[Text]:
    """A line on what the verdicts mean that arms have."""
    there = {row.verdict for row in screen.standings}
    told = [f"{', '.join(words)}: {means}" for words, means in MEANINGS if there & set(words)]
    line = Text("; ".join(told), "dim")
    line.truncate(width, overflow="ellipsis")
    return [line] if told else []


def _effect(row: Standing, digits: int) -> str:
    digits = supported_decimals(row.low, row.high, digits)
    return "" if row.effect is None else f"{row.effect:+.{digits}f}"


def _interval(row: Standing, digits: int) -> str:
    if row.low is None or row.high is None:
        return ""
    if math.isinf(row.low):
        return "unbounded"
    digits = supported_decimals(row.low, row.high, digits)
    return f"{row.low:+.{digits}f}, {row.high:+.{digits}f}"


def drawn_text(drawn: Sequence[Text]) -> str:
    """The lines without their styles."""
    return "\n".join(line.plain for line in drawn)
