"""Make text from other people's files safe to print."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trainer.words import shortened

_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, movements of the cursor
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and the like: titles, links
    r"|[ -/]*[0-~])"
)
"""Escape sequences of terminals (ECMA-48)."""
_MAX_SHOWN = 60
"""Characters of a value that `shown` keeps."""


def printable(text: str) -> str:
    """Escape control characters and marks of text direction; newlines and tabs are kept."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """A text in one line: what is not printable is escaped, line ends and tabs too.

    Backslashes are doubled, to tell a line end from the two characters that write it in code.
    """
    return "".join(c if c.isprintable() and c != "\\" else repr(c)[1:-1] for c in text)


def as_seen(output: str) -> list[str]:
    """The lines that a terminal shows of a program's output, without colours.

    Of a line that was written over, such as a progress bar, that is the last version.
    """
    lines = _SEQUENCES.sub("", output).split("\n")
    if not lines[-1]:
        lines.pop()
    versions = (line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return ["".join(c for c in line if c.isprintable() or c == "\t") for line in versions]


def shown(value: object) -> str:
    """The repr of a value: short, and without control characters."""
    try:
        text = repr(value) if not isinstance(value, bool) else str(value).lower()
    except ValueError:  # more than sys.get_int_max_str_digits()
        return "a number of thousands of digits"
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def harmless(text: str) -> str:
    """A text as it is if it is printable; else escaped and shortened, as by `shown`."""
    return text if text.isprintable() else shown(text)[1:-1]


def harmless_first(names: Sequence[str], most: int) -> str:
    """The first names as `harmless` writes them, with an ellipsis if there are more."""
    return shortened([harmless(name) for name in names[: most + 1]], most)


def shown_first(names: Sequence[object], most: int) -> str:
    """The first names as `shown` writes them, with an ellipsis if there are more."""
    return shortened([shown(name) for name in names[: most + 1]], most)
