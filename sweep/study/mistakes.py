"""The mistakes of a study file, and the message that tells all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweep.errors import StudyError

Keys = tuple[str, ...]
"""The keys that lead to a value: `("baseline", "model", "layers")`."""

Lines = Mapping[Keys, int]
"""The line of each key in the file."""

MAX_TOLD = 20
"""Mistakes that one message tells."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a study file."""

    keys: Keys
    """Where it is; empty if it is in no one place."""
    sentence: str
    paste: tuple[str, ...] = ()
    """Lines to add to the file, if something is missing."""
    meant: tuple[str, ...] = ()
    """Fields that an unknown name may mean: `baseline.model.layers`."""

    def concerns(self, table: str) -> bool:
        """True if it is in a table of the file, or should be."""
        return table in {*self.keys[:1], *(field.partition(".")[0] for field in self.meant)}


class InvalidStudyError(StudyError):
    """A study file is not valid; has each of its mistakes."""

    def __init__(
        self, mistakes: Sequence[Mistake], source: str = "", lines: Lines | None = None
    ) -> None:
        """`source` names the file; `lines` has the lines of its keys, if they are known."""
        self.mistakes = _in_order(dict.fromkeys(mistakes), lines or {})
        super().__init__(_message(self.mistakes, source, lines or {}))


def under(keys: Keys, mistakes: Sequence[Mistake]) -> list[Mistake]:
    """The mistakes with longer keys: those of a table, as mistakes of the file."""
    return [replace(each, keys=(*keys, *each.keys)) for each in mistakes]


def _message(mistakes: Sequence[Mistake], source: str, lines: Lines) -> str:
    told = [_told(each, lines) for each in mistakes[:MAX_TOLD]]
    if len(mistakes) == 1:
        return f"{source}: {told[0]}" if source else told[0]
    listed = "".join(f"\n  {each}" for each in told)
    more = len(mistakes) - len(told)
    rest = f"\n  and {more} more" if more else ""
    return f"{source or 'the command line'} has {len(mistakes)} mistakes:{listed}{rest}"


def _told(mistake: Mistake, lines: Lines) -> str:
    line = _line(mistake.keys, lines)
    where = "" if line is None else f"line {line}: "
    return where + mistake.sentence + "".join(f"\n      {each}" for each in mistake.paste)


def _line(keys: Keys, lines: Lines) -> int | None:
    """The line of a key; of the table around it, if the key itself is not in the file."""
    for length in range(len(keys), 0, -1):
        if keys[:length] in lines:
            return lines[keys[:length]]
    return None


def _in_order(mistakes: Mapping[Mistake, None], lines: Lines) -> list[Mistake]:
    """As in the file; what is in no place of it comes last."""
    last = max(lines.values(), default=0) + 1
    return sorted(mistakes, key=lambda each: _line(each.keys, lines) or last)
