"""Text that others wrote, as it may be printed."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text with what moves a cursor or turns a line around written out; lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
