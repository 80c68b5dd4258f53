"""Questions that a file raises, gathered so that one command can answer all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sweep.errors import ResultsError, did_you_mean
from sweep.terminal.printable import shown, shown_first

COLUMNS_LISTED = 30
"""Columns of a file that a sentence lists."""


def no_column(
    column: str, present: Sequence[str], source: str, use: str, most: int = COLUMNS_LISTED
) -> str:
    """Says that a file lacks a column, and which of its columns may be meant; `use`: what it is for."""
    return (
        f"{source} has no column {shown(column)} for {use}{did_you_mean(column, present)} (it has: "
        f"{shown_first(present, most)})"
    )


class Questions:
    """Sentences, each of which names the option or the correction that answers it."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self.raised: ResultsError | None = None
        """The error that `check` raised."""

    def ask(self, sentence: str) -> None:
        """Add a question; the reading goes on, to find others."""
        self._sentences.append(sentence)

    def check(self) -> None:
        """Raise ResultsError with all questions, a line each, if there are any."""
        if self._sentences:
            self.raised = ResultsError("\n".join(dict.fromkeys(self._sentences)))
            raise self.raised


@contextmanager
def gathered() -> Iterator[Questions]:
    """Yield Questions, and raise ResultsError at the end if there are any.

    An error that ends the reading is the last of them.
    """
    questions = Questions()
    try:
        yield questions
    except ResultsError as error:
        if error is not questions.raised:  # otherwise it holds the questions already
            questions.ask(str(error))
    questions.check()
