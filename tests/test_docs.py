"""The pages for users say what the code does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sweep.cli import app
from sweep.study.file import Baseline
from sweep.study.jobs_section import Jobs
from trainer.recipe_forms import RECIPE_FIELDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
LONGEST_README = 170
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OPTIONS_OF_ALL = {"--help", "--runs", "--db"}
"""Options that docs/commands.md describes once, above its sections."""


def commands_in_readme() -> list[str]:
    return [line.strip() for line in README.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("name", RECIPE_FIELDS)
def test_the_page_of_recipe_fields_has_each_with_its_default_and_meaning(name: str) -> None:
    section, field = name.split(".")
    config = Baseline.model_fields[section].annotation
    info = config.model_fields[field]
    default = "none" if info.default is None else json.dumps(info.default)
    expected = f"| `{name}` | `{default}` | {info.description} |"
    assert expected in (ROOT / "docs" / "recipe.md").read_text().splitlines()


@pytest.mark.parametrize("name", Jobs.model_fields)
def test_that_page_has_the_settings_of_jobs_too(name: str) -> None:
    info = Jobs.model_fields[name]
    default = "none" if info.default is None else json.dumps(info.default)
    expected = f"| `jobs.{name}` | `{default}` | {info.description} |"
    assert expected in (ROOT / "docs" / "recipe.md").read_text().splitlines()


def test_ci_runs_the_two_parts_of_the_second_command_of_the_readme() -> None:
    install, test = next(c for c in commands_in_readme() if c.endswith("pytest")).split(" && ")
    steps = (ROOT / ".ci" / "run").read_text().splitlines()
    assert install.replace("pip install", "pip install --quiet") in steps
    assert test in steps


@pytest.mark.parametrize("command", app.registered_commands, ids=lambda c: c.callback.__name__)
def test_every_command_is_in_the_readme_and_explains_itself(command) -> None:  # noqa: ANN001  (typer's own)
    name = command.name or command.callback.__name__
    assert any(line.startswith(f"sweep {name}") for line in commands_in_readme())
    assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0
    assert command.callback.__doc__


def test_every_page_and_study_that_the_readme_names_exists() -> None:
    named = re.findall(r"`((?:docs|studies|benchmarks)/[\w./-]+)`", README)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_readme_is_short_and_names_every_page() -> None:
    assert len(README.splitlines()) <= LONGEST_README
    pages = [path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md")]
    assert [str(page) for page in pages if f"`{page}`" not in README] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_or_links_to_exists(page: Path) -> None:
    text = page.read_text()
    named = re.findall(
        r"`((?:docs|studies|benchmarks|tests|sweep|trainer|analysis|model)/[\w./-]+\.(?:py|md|toml))`",
        text,
    )
    linked = re.findall(r"\]\(([\w./-]+\.md)\)", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [path for path in linked if not (page.parent / path).exists()] == []


def options(command) -> Iterator[str]:  # noqa: ANN001  (click's own)
    """The long names of a command's options, and those of its subcommands."""
    for parameter in command.params:
        yield from (name for name in parameter.opts if name.startswith("--"))
    for each in getattr(command, "commands", {}).values():
        yield from options(each)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_commands_has_a_section_on_each_with_its_options(name: str) -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    sections = dict(re.findall(r"^### sweep (\S+)\n(.*?)(?=^#|\Z)", page, re.DOTALL | re.MULTILINE))
    missing = (
        set(options(COMMANDS[name])) - OPTIONS_OF_ALL - set(re.findall(r"--[\w-]+", sections[name]))
    )
    assert missing == set()


def test_the_page_of_commands_has_no_command_that_does_not_exist() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    assert set(re.findall(r"^### sweep (\S+)$", page, re.MULTILINE)) == set(COMMANDS)


PAGE = ROOT / "docs" / "adding-an-intervention.md"
QUOTED = re.findall(r"```diff (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize(("path", "block"), QUOTED)
def test_the_page_on_adding_an_intervention_quotes_the_code_as_it_is(path: str, block: str) -> None:
    code = (ROOT / path).read_text().splitlines()
    lines = [line.removeprefix("+") for line in block.splitlines()]
    assert [line for line in lines if line not in code] == []


def test_that_page_quotes_every_step() -> None:
    assert {"model/config.py", "model/norm.py", "studies/interventions.toml"} <= dict(QUOTED).keys()
