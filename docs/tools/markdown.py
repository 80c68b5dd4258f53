"""Tables and code spans that code hosts and the site show alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; a bar in a cell is written as an entity, which both show as a bar."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """A cell on one line; a code span with a bar becomes HTML, where an entity works."""
    spans = " ".join(text.split()).split("`")
    for at in range(1, len(spans), 2):
        code = spans[at]
        spans[at] = f"`{code}`" if "|" not in code else f"<code>{_escaped(code)}</code>"
    return "".join(span if at % 2 else _escaped_text(span) for at, span in enumerate(spans))


def _escaped(code: str) -> str:
    return (
        code.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    )


def _escaped_text(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "&#124;")


def either(words: Sequence[str]) -> str:
    """`a`, `b` or `c`, each as code."""
    coded = [f"`{word}`" for word in words]
    return f"{', '.join(coded[:-1])} or {coded[-1]}" if len(coded) > 1 else coded[0]
