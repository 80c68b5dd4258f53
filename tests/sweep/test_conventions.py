"""What holds for all commands: `-h`, `--quiet`, `--debug`, `--format json`, and completed names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sweep.cli import app
from sweep.cli.common import DEBUG, QUIET
from sweep.cli.examples import EXAMPLES
from sweep.cli.group import SECTIONS
from sweep.store.store import Store

GROUP: Any = typer.main.get_command(app)
READING = {
    "report": [],
    "status": [],
    "list": [],
    "watch": [],
    "show": ["no-dropout/1"],
    "compare": ["baseline", "no-dropout"],
    "log": ["baseline/1"],
    "gc": ["--dry-run"],
    "data list": [],
}
"""Commands that only read, with the arguments that they need here."""
CHANGING = {"init", "train", "import", "export", "evaluate", "generate", "backup", "rebuild"}
WITHOUT_RESULTS = {"interventions"}
Call = Callable[..., str]


def commands(group: Any = GROUP, above: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (click's own)
    """All commands with the words that call them."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (QUIET, DEBUG):
        monkeypatch.setenv(variable, "")


@pytest.fixture
def call(filled: Store, tmp_path: Path) -> Call:
    """Runs a command on a folder with a study; returns what it printed."""
    assert filled.file

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, [*words, "--runs", str(tmp_path / "runs")])
        assert done.exit_code == 0, (words, done.output, done.exception)
        return done.stdout

    return run


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=str)
def test_every_command_has_help_an_example_and_the_common_options(name: str, command: Any) -> None:  # noqa: ANN401  (click's own)
    options = {word for each in command.params for word in each.opts}
    assert {"-q", "--quiet", "--debug"} <= options
    for word in ("-h", "--help"):
        done = CliRunner().invoke(app, [*name.split(), word])
        assert done.exit_code == 0
        assert f"Example: sweep {name} {EXAMPLES[name]}" in re.sub(r"\s+", " ", done.stdout)
    first = name.split(maxsplit=1)[0]
    reads_a_folder = first not in CHANGING | WITHOUT_RESULTS or name == "rebuild"
    assert not reads_a_folder or "--runs" in options
    assert name not in READING or "--format" in options


@pytest.mark.parametrize("name", READING)
def test_a_command_that_reads_prints_json_for_programs(name: str, call: Call) -> None:
    assert json.loads(call(*name.split(), *READING[name], "--format", "json")) is not None


@pytest.mark.parametrize("name", READING)
def test_quiet_prints_less_wherever_it_is_typed(name: str, call: Call) -> None:
    words = [*name.split(), *READING[name]]
    brief = call(*words, "--quiet")
    assert brief == call("-q", *words)
    assert len(brief) <= len(call(*words)) or name == "gc"
    assert "A run is named by" not in brief


def test_a_quiet_list_has_the_names_only(call: Call) -> None:
    assert call("list", "-q") == "tiny\n"


def test_the_version_is_printed() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert re.match(r"sweep .+, Python \d", done.stdout)


def test_help_lists_every_command_below_a_heading_of_its_kind() -> None:
    listed = CliRunner().invoke(app, ["-h"]).stdout
    for heading, names in SECTIONS.items():
        section = listed.split(f"{heading}:\n")[1].split("\n\n")[0]
        for name in set(names) & set(GROUP.commands):
            assert re.search(rf"^  {name} ", section, re.MULTILINE)
        assert "Example: sweep " in section
    assert set(GROUP.commands) <= {name for names in SECTIONS.values() for name in names}


def completed(*words: str) -> set[str]:
    """What a shell offers at the end of a command line."""
    line = " ".join(["sweep", *words])
    variables = {"_SWEEP_COMPLETE": "complete_bash", "COMP_WORDS": line}
    variables["COMP_CWORD"] = str(len(words))
    done = CliRunner().invoke(app, [], prog_name="sweep", env=variables)
    assert not done.exception or isinstance(done.exception, SystemExit)
    return set(done.stdout.split())


def test_a_shell_completes_names_of_studies_arms_and_runs(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert filled.file
    monkeypatch.chdir(tmp_path)
    assert "tiny" in completed("report", "t")
    assert completed("settle", "no") == {"no-dropout"}
    assert completed("log", "clip/") == {"clip/1", "clip/2"}
    assert "no-dropout" in completed("show", "no")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert completed("log", "clip/") == set()


def test_colours_are_left_out_if_no_color_is_set(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in call("report")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[\d;]*3\d", call("report"))
