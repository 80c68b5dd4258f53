"""The architecture: which package and which room imports which, and what a command may import."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from benchmarks.wide_store import fill
from sweep.cli import app
from tests.sources import PACKAGES, ROOT, SOURCES, imports, name, nodes, ours

MAY_IMPORT = {
    "model": {"model"},
    "trainer": {"trainer", "model"},
    "analysis": {"analysis"},
    "sweep": {"sweep", "analysis", "trainer", "model"},
}
"""The arrows: model <- trainer <- sweep -> analysis."""
LIGHT_FOR_SWEEP = {
    *(
        f"trainer.rundir.{name}"
        for name in ("attempt_end", "directory", "exits", "lock", "request")
    ),
    *(f"trainer.processes.{name}" for name in ("node", "ranks", "run", "worker")),
    *(f"trainer.scripts.{name}" for name in ("environment", "group", "placeholders", "request")),
    *(f"trainer.corpora.{name}" for name in ("cache_folders", "corpus", "mixture", "prepare")),
    *(f"trainer.corpora.{name}" for name in ("tokenizer", "tokenizer_paths")),
    *(f"trainer.instructions.{name}" for name in ("data", "encoding", "request", "settings")),
    *("model.config", "model.export_format", "model.export_formats", "model.size"),
    "trainer.sources.catalogue",
    "trainer.sources.file_kinds",
    *("trainer.tools.child", "trainer.tools.eval_protocol"),
    "trainer.errors",
    "trainer.execution",
    "trainer.weights.export",
    "trainer.files",
    "trainer.sources.hub",
    "trainer.weights.initial",
    "trainer.weights.pretrained",
    *(f"trainer.{name}" for name in ("recipe", "recipe_forms", "recipe_sections")),
    "trainer.sharing",
    "trainer.sources.compression",
    "trainer.sources.source",
    "trainer.sources.time_limit",
    "trainer.words",
}
"""All that `sweep` knows of the other two: the recipe and its files, never the training."""
HEAVY = {"torch", "pandas", "scipy", "numpy", "sqlalchemy", "datasets", "optuna"}
ROOMS = {
    "sweep": [
        *("__main__", "__init__", "analysis", "notebook", "cli", "commands", "serving", "reports"),
        *("pages", "figures", "models", "running", "searching", "trackers", "verdicts", "forecast"),
        *("upkeep", "importing", "drafting", "queue", "progress", "noise", "history"),
        *("judging", "evals", "workload", "workspace", "design", "trainers", "executors"),
        *("store", "study", "metrics", "terminal", "machine", "errors", "bootstrap"),
    ],
    "trainer": [
        *("tools", "processes", "scripts", "instructions", "training", "weights", "rundir"),
        *("corpora", "sources", "sampling", "recipe_forms", "execution", "sharing", "tokens"),
        *("recipe", "mixture_shares", "recipe_steps", "recipe_sections", "ramps"),
        *("tokenizer_names", "words", "files", "errors"),
    ],
}
"""Folders and single modules from top to bottom: each imports only what stands below it."""
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_arrow_runs_the_wrong_way(path: Path) -> None:
    allowed = MAY_IMPORT[path.relative_to(ROOT).parts[0]]
    assert {module.partition(".")[0] for module in ours(path)} <= allowed


@pytest.mark.parametrize("path", [p for p in SOURCES if name(p).startswith("sweep")], ids=name)
def test_sweep_knows_the_recipe_and_not_the_training(path: Path) -> None:
    found = {module for module in ours(path) if module.startswith(("model", "trainer"))}
    assert found <= LIGHT_FOR_SWEEP
    assert "torch" not in {module.partition(".")[0] for module in imports(path)}


def test_the_arrows_are_there_and_not_only_allowed() -> None:
    used = {package: set[str]() for package in PACKAGES}
    for path in SOURCES:
        package = path.relative_to(ROOT).parts[0]
        used[package] |= {module.partition(".")[0] for module in ours(path)} - {package}
    assert used == {
        "model": set(),
        "trainer": {"model"},
        "analysis": set(),
        "sweep": {"trainer", "analysis", "model"},
    }


@pytest.mark.parametrize("path", sorted((ROOT / "analysis").rglob("*.py")), ids=name)
def test_the_statistics_import_each_other_under_whatever_name_they_have(path: Path) -> None:
    by_name = re.findall(r"^ *(?:from|import) analysis\b.*", path.read_text(), re.MULTILINE)
    assert by_name == []  # or else `sweep.analysis` would load a user's `analysis`


def room(module: str) -> str:
    """The folder or module below the package: `store` for `sweep.store.rows`."""
    return [*module.split("."), "__init__"][1]


def module_of(path: Path) -> str:
    return name(path).removesuffix(".py").replace("/", ".")


IN_ROOMS = [
    path
    for path in SOURCES
    if path.relative_to(ROOT).parts[0] in ROOMS and name(path) != "trainer/__init__.py"
]


@pytest.mark.parametrize("path", IN_ROOMS, ids=name)
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    order, own = ROOMS[package], room(module_of(path))
    below = {own, *order[order.index(own) + 1 :]}
    used = {room(module) for module in ours(path) if module.partition(".")[0] == package}
    assert used <= below


def test_the_list_of_rooms_is_what_there_is() -> None:
    for package, order in ROOMS.items():
        there = {room(module_of(path)) for path in IN_ROOMS if name(path).startswith(f"{package}/")}
        assert sorted(order) == sorted(there)


PAGE = (ROOT / "docs" / "architecture.md").read_text()


@pytest.mark.parametrize("package", ROOMS)
def test_the_page_on_architecture_lists_the_rooms_in_their_order(package: str) -> None:
    listed = re.findall(rf"^\| `{package}/([\w.]+?)/?` \|", PAGE, re.MULTILINE)
    assert [each.removesuffix(".py") for each in listed] == ROOMS[package]


def test_every_path_on_the_page_on_architecture_exists() -> None:
    paths = re.findall(r"`((?:\.?\w+/)[\w./-]*)`", PAGE)
    assert len(paths) > 60
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_has_at_most_300_lines_and_a_function_40(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    counts_from_body = path.parent.name == "cli"  # an option is a parameter, on a line of its own
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in nodes(path) if isinstance(node, functions)]
    long = [
        node.name
        for node in found
        for start in [node.body[0].lineno if counts_from_body else node.lineno]
        if (node.end_lineno or 0) - start >= MAX_FUNCTION_LINES
    ]
    assert long == []


def test_a_file_of_tests_has_at_most_300_lines() -> None:
    files = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    assert len(files) > 200
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def loaded(*command: str) -> set[str]:
    """The top-level modules that a fresh interpreter imports for a command."""
    return {module.partition(".")[0] for module in all_loaded(*command)}


def all_loaded(*command: str) -> set[str]:
    """Every module that it imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    pattern = r"^import time:\s+\d+ \|\s+\d+ \|\s+([\w.]+)$"
    return set(re.findall(pattern, done.stderr, re.MULTILINE))


@pytest.mark.parametrize("words", [[], *([command] for command in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    found = loaded("-m", "sweep", *words, "--help")
    assert "typer" in found
    assert not found & HEAVY


def test_a_node_imports_neither_the_recipe_nor_anything_heavy_before_it_knows_what_to_train() -> (
    None
):
    found = all_loaded("-P", "-c", "import sweep.executors.slurm.node")
    assert "trainer.scripts.run" in found
    assert not found & {*HEAVY, "trainer.recipe", "trainer.instructions.request"}


def cpu_seconds(*words: str) -> float:
    """CPU time of `python WORDS`."""
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_help_answers_in_three_tenths_of_a_second_of_cpu_time() -> None:
    # A busy machine stretches CPU time, too: there it is at most three times an import of typer.
    best = least = float("inf")
    for _ in range(8):
        best = min(best, cpu_seconds("-m", "sweep", "--help"))
        least = min(least, cpu_seconds("-c", "import typer"))
        if best < 0.3:
            return
    assert best < 3 * least


def test_status_and_report_import_no_more_than_they_need(tmp_path: Path) -> None:
    fill(tmp_path, 8, 8, seeds=4)
    status = loaded("-m", "sweep", "status", "--runs", str(tmp_path))
    assert status & HEAVY == {"sqlalchemy"}
    report = all_loaded("-m", "sweep", "report", "--runs", str(tmp_path))
    assert {"scipy.special", "sqlalchemy"} <= report
    needless = {"scipy.stats", "scipy.optimize", "statsmodels", "torch", "datasets", "tiktoken"}
    assert not report & needless


def test_all_of_sweep_can_be_imported_without_torch() -> None:
    names = [name(path).removesuffix(".py").replace("/", ".") for path in SOURCES]
    wanted = [each for each in names if each.startswith("sweep") and not each.endswith("__main__")]
    assert "sweep.commands.run" in wanted
    found = loaded("-c", f"import {', '.join([*wanted, *sorted(LIGHT_FOR_SWEEP)])}")
    assert "sqlalchemy" in found
    assert not found & {"torch", "pandas", "scipy"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"\bsweep {command}\b", (ROOT / "README.md").read_text())


def test_the_readme_promises_no_command_that_there_is_not() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    typed = [line.split() for line in lines if line.startswith("    sweep ")]
    assert typed
    assert {words[1] for words in typed} <= set(COMMANDS)
