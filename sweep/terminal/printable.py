"""Text that others wrote, as it may be printed."""

from __future__ import annotations

_LONGEST = 60
"""Characters of an offending value that are shown."""


def printable(text: str) -> str:
    """A text with what moves a cursor or turns a line around written out; lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def shown(value: object) -> str:
    """A value as it may be printed: short, and with nothing that moves a cursor."""
    try:
        text = repr(value) if not isinstance(value, bool) else str(value).lower()
    except ValueError:  # Python writes no more than sys.get_int_max_str_digits()
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def harmless(text: str) -> str:
    """A text from a file with nothing in it that moves a cursor or turns the line around."""
    return text if text.isprintable() else shown(text)[1:-1]
