"""What a program has printed, as a terminal shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.terminal.printable import as_seen


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\n\ntwo", ["one", "", "two"]),
        ("one\r\ntwo\r\n", ["one", "two"]),
        (" 10%|█  \r 50%|██ \r100%|███\ndone", ["100%|███", "done"]),
        ("\x1b[1;31mloss\x1b[0m 3.2\x1b[K", ["loss 3.2"]),
        ("\x1b]0;a title\x07text", ["text"]),
        ("\x1b]8;;https://x.org\x1b\\link\x1b]8;;\x1b\\", ["link"]),
        ("\x1b(Bplain\x1b7", ["plain"]),
        ("bell\x07, null\x00, tab\t.", ["bell, null, tab\t."]),
        ("left \u202eright", ["left right"]),
        ("", []),
    ],
)
def test_colours_and_lines_that_were_written_over_are_left_out(
    output: str, lines: list[str]
) -> None:
    assert as_seen(output) == lines


@given(st.text())
def test_nothing_that_could_move_a_cursor_is_left(output: str) -> None:
    assert all(c.isprintable() or c == "\t" for line in as_seen(output) for c in line)
