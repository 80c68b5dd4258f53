"""The pages for users say what the code does."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from docs.tools.commands import COMMANDS as EVERY_COMMAND
from sweep.cli import app
from sweep.study.slurm_section import Slurm
from tests.pages import PAGES as PAGES_WITH_COMMANDS
from tests.pages import inline_commands, shown_commands
from tests.sources import SOURCES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
LONGEST_README = 170
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
EVERYTHING = typer.main.get_command(app)
COMMANDS = EVERYTHING.commands  # type: ignore[attr-defined]


def commands_in_readme() -> list[str]:
    return [line.strip() for line in README.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("name", Slurm.model_fields)
def test_the_page_on_clusters_has_every_setting_of_slurm(name: str) -> None:
    info = Slurm.model_fields[name]
    default = "none" if info.default is None else json.dumps(info.default)
    expected = f"| `{name}` | `{default}` | {info.description} |"
    assert expected in (ROOT / "docs" / "clusters.md").read_text().splitlines()


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


def test_the_readme_is_short_and_names_the_page_that_leads_to_all() -> None:
    assert len(README.splitlines()) <= LONGEST_README
    assert "`docs/index.md`" in README


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


def test_the_page_of_commands_has_a_section_on_each_and_no_other() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    assert set(re.findall(r"^### sweep (\S+)$", page, re.MULTILINE)) == set(COMMANDS)


PAGE = ROOT / "docs" / "adding-an-intervention.md"
QUOTED = re.findall(r'```diff title="(\S+)"\n(.*?)```', PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize(("path", "block"), QUOTED)
def test_the_page_on_adding_an_intervention_quotes_the_code_as_it_is(path: str, block: str) -> None:
    code = (ROOT / path).read_text().splitlines()
    lines = [line.removeprefix("+") for line in block.splitlines()]
    assert [line for line in lines if line not in code] == []


def test_that_page_quotes_every_step() -> None:
    assert {"model/config.py", "model/norm.py", "studies/interventions.toml"} <= dict(QUOTED).keys()


MESSAGES = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)


@cache
def texts_of_code() -> str:
    """All texts of the code, one per line; a placeholder is written as …, and ` is left out."""
    found = []
    for path in SOURCES:
        nodes = list(ast.walk(ast.parse(path.read_text())))
        parts = {
            id(each) for node in nodes if isinstance(node, ast.JoinedStr) for each in node.values
        }
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                found.append("".join(map(_text, node.values)))
            elif isinstance(node, ast.Constant) and id(node) not in parts:
                found.append(_text(node))
    return "\n".join(each.replace("`", "").replace("\n", " ") for each in found)


def _text(node: ast.expr) -> str:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else "…"


@pytest.mark.parametrize("message", MESSAGES)
def test_the_page_of_errors_has_messages_as_the_code_has_them(message: str) -> None:
    pattern = ".*".join(re.escape(part) for part in message.split("…"))
    assert re.search(pattern, texts_of_code())


GROUPS = {name.split()[0] for name in EVERY_COMMAND if " " in name}
"""Words that stand before several commands: `data`, `study`."""
IN_TEXT = [
    (str(page.relative_to(ROOT)), command)
    for page in PAGES_WITH_COMMANDS
    for command in [*inline_commands(page), *(each.line for each in shown_commands(page))]
]


def test_every_command_in_a_text_exists_with_its_options() -> None:
    assert len(IN_TEXT) > 200
    assert [f"{page}: {command}" for page, command in IN_TEXT if not exists(command)] == []


def exists(shown: str) -> bool:
    """True if a command that a page names is one, and all options that stand behind it are its."""
    words = [word for word in re.split(r"[\s=]+", shown.partition("#")[0]) if word][1:]
    name = " ".join(words[:2]) if words[0] in GROUPS else words[0]
    if name in {"COMMAND", *GROUPS}:
        return True
    if name.startswith("-"):
        return any(name in each.opts for each in EVERYTHING.params) or name == "--debug"
    options = {word for word in words if re.fullmatch(r"--[a-z-]+", word)}
    parameters = EVERY_COMMAND[name].params if name in EVERY_COMMAND else []
    known = {opt for each in parameters for opt in (*each.opts, *each.secondary_opts)}
    return name in EVERY_COMMAND and ("--command" in options or options <= known | {"--help"})
