"""The site: generated parts are current, every page is in its navigation, and it fetches nothing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from docs.tools.commands import COMMANDS
from docs.tools.database import tables
from docs.tools.fields import SCHEMA, sections
from docs.tools.offline import on_post_page
from docs.tools.parts import DOCS, PAGES, names, written
from tests.patience import PATIENCE

ROOT = DOCS.parent
NOTEBOOK = DOCS / "results.ipynb"
OF_NO_OUTPUT = 2
"""Cells that import or train."""
NAVIGATION = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_generated_parts_of_a_page_are_as_the_code_is_now(page: Path) -> None:
    assert page.read_text() == written(page.read_text()), "type: python -m docs.tools"


def test_every_command_field_and_table_is_on_its_page() -> None:
    text = {page.name: page.read_text() for page in PAGES}
    assert sorted(names(text["commands.md"], "options")) == sorted(COMMANDS)
    assert sorted(names(text["database.md"], "table")) == sorted(tables())
    only_tables = {"baseline", "evaluation"}
    shown = only_tables | set(names(text["recipe.md"], "fields"))
    assert shown == set(sections())


def test_every_field_and_column_has_a_meaning() -> None:
    assert [
        f"{section}.{field}"
        for section, model in sections().items()
        if model is not SCHEMA
        for field, content in model["properties"].items()
        if section != "baseline" and not content.get("description")
    ] == []
    assert [
        f"{table}.{column.name}"
        for table, content in tables().items()
        for column in content.columns
        if not (column.comment or column.foreign_keys or column.primary_key)
    ] == []


def test_the_navigation_has_every_page_once() -> None:
    listed = re.findall(r"[\w/-]+\.md", NAVIGATION)
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_the_home_page_leads_to_every_page_but_the_decisions() -> None:
    home = (DOCS / "index.md").read_text()
    assert [page.name for page in PAGES if f"({page.name}" not in home] == ["index.md"]


def test_the_site_asks_for_no_fonts_of_others_and_for_no_scripts() -> None:
    settings = (ROOT / "mkdocs.yml").read_text().partition("\nmarkdown_extensions")[0]
    read = yaml.safe_load(settings)
    assert read["theme"]["font"] is False
    assert not {"extra_javascript", "extra_css", "repo_url"} & read.keys()


def test_the_notebook_was_executed_from_top_to_bottom() -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if "outputs" in cell]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))


@pytest.mark.nightly
def test_the_notebook_runs(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="executing it takes nbclient")
    nbformat = pytest.importorskip("nbformat", reason="executing it takes nbclient")
    pytest.importorskip("ipykernel", reason="executing it takes ipykernel")
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    settings = {"timeout": PATIENCE, "resources": {"metadata": {"path": str(tmp_path)}}}
    nbclient.NotebookClient(notebook, kernel_name="python3", **settings).execute()
    outputs = [len(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]
    assert outputs.count(0) == OF_NO_OUTPUT


@pytest.mark.parametrize(
    ("html", "warns"),
    [
        ('<script src="https://unpkg.com/x">', True),
        ("<img src=//elsewhere.org/x.png>", True),
        ('<link rel="stylesheet" href="https://fonts.googleapis.com/css">', True),
        ('<a href="https://optuna.org">', False),
        ('<script src="assets/x.js"></script>', False),
    ],
)
def test_the_build_warns_of_a_page_that_fetches_something(
    html: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    on_post_page(html, page=SimpleNamespace(file=SimpleNamespace(src_path="x.md")))
    assert bool(caplog.records) is warns


def test_ci_builds_the_site_with_that_hook() -> None:
    assert (
        "mkdocs build --strict --site-dir" in (ROOT / ".ci" / "run").read_text()
    )  # --quiet hides warnings
    assert "docs/tools/offline.py" in (ROOT / "mkdocs.yml").read_text()
