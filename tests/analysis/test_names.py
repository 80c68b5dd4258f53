"""Long names in tables."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from rich.cells import cell_len
from rich.console import Console

from analysis.tables.names import LONGEST_NAME, short_names, shorten
from analysis.tables.table import Column, markdown_table, rich_table

NAMES = ["baseline", "lr=3e-4 " + "😀|pipe_" * 24, "b" * 200, "学習率" * 60]


@dataclass
class Row:
    """A row of a table."""

    name: str


COLUMNS = [Column[Row]("arm", lambda row: row.name, "left"), Column[Row]("n", lambda _: "5")]


def printed(names: list[str], width: int) -> str:
    console = Console(width=width, markup=False, highlight=False)
    with console.capture() as said:
        console.print(rich_table(COLUMNS, [Row(name) for name in names], width))
    return said.get()


@pytest.mark.parametrize("name", NAMES)
def test_a_long_name_keeps_its_begin_and_its_end(name: str) -> None:
    short = shorten(name)
    assert cell_len(short) <= LONGEST_NAME
    assert short == name or (name.startswith(short[:15]) and name.endswith(short[-15:]))
    assert (short == name) is (cell_len(name) <= LONGEST_NAME)


def test_different_names_stay_different() -> None:
    same_ends = ["a" * 90 + middle + "z" * 90 for middle in ("one", "two", "three")]
    hidden = ["a" * 90 + "b" * 200 + end + "z" * 90 for end in "xy"]
    for names in (same_ends, hidden, [*same_ends, *NAMES]):
        assert len(set(short_names(names).values())) == len(names)
    shown = short_names(same_ends)
    assert all(cell_len(short) <= LONGEST_NAME for short in shown.values())
    assert "…two" in shown[same_ends[1]]


def test_names_of_200_characters_take_few_lines_of_80_characters() -> None:
    lines = printed(NAMES, 80).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert len(lines) <= 4 + 1 + 3 * 3
    assert printed(NAMES, 200).count("\n") <= 4 + 4


def test_other_formats_have_the_names_whole() -> None:
    assert "b" * 200 in markdown_table(COLUMNS, [Row(name) for name in NAMES])
