"""Help and errors say in words which numbers an option takes, and show an example."""

from __future__ import annotations

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from sweep.cli import app
from sweep.cli.examples import EXAMPLES
from sweep.cli.numbers import Range

GROUP = typer.main.get_command(app)


@pytest.mark.parametrize("name", EXAMPLES)
def test_help_of_every_command_has_plain_ranges_and_an_example_that_parses(name: str) -> None:
    done = CliRunner().invoke(app, [*name.split(), "--help"])
    assert done.exit_code == 0
    assert "<=" not in done.stdout
    assert "NATS" not in done.stdout  # an effect has the unit of the metric
    assert "Example: sweep " in done.stdout
    command = GROUP
    for word in name.split():
        command = command.commands[word]  # type: ignore[attr-defined]
    command.make_context(name, shlex.split(EXAMPLES[name]))  # raises if an option is unknown


def test_every_command_has_an_example() -> None:
    groups = {"data", "study"}
    names = set(GROUP.commands) - groups  # type: ignore[attr-defined]
    for group in groups:
        names |= {f"{group} {name}" for name in GROUP.commands[group].commands}  # type: ignore[attr-defined]
    assert names == set(EXAMPLES)


@pytest.mark.parametrize(
    ("group", "line"),
    [
        ([], "compare  Show where two runs, arms or studies differ."),
        (["study"], "rename  Give a study another name; its runs and verdicts stay."),
        (["data"], "remove   Remove the token files of a corpus."),
    ],
)
def test_a_list_of_commands_fits_80_columns_without_sentences_that_break_off(
    group: list[str], line: str
) -> None:
    listing = CliRunner().invoke(app, [*group, "--help"], terminal_width=80).stdout
    assert f"  {line}\n" in listing
    assert "..." not in listing.replace("[ARGS]...", "")
    assert max(map(len, listing.splitlines())) <= 80


@pytest.mark.parametrize(
    ("allowed", "word", "sentence"),
    [
        (
            Range(int, 2, 10_000),
            "1",
            "1 is not allowed; give a whole number, at least 2, at most 10,000",
        ),
        (Range(int, 0, 2**63), "-1", "-1 is not allowed; give a whole number, at least 0"),
        (Range(int, 1, 9), "1.5", "'1.5' is not a whole number; give one, at least 1, at most 9"),
        (Range(float, 1e-3, 1e9, above_zero=True), "0", "0 is not allowed; give a number, above 0"),
        (Range(float, 0, 1e9), "nan", "nan is not allowed; give a number, at least 0"),
    ],
)
def test_a_number_that_is_not_allowed_is_refused_in_words(
    allowed: Range, word: str, sentence: str
) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        allowed(word)
    assert re.sub(r"\s+", " ", refused.value.message) == sentence
