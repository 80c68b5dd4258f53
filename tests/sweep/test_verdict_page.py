"""The page of a report: complete, safe with any name, and one file."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from analysis.tables.table import Column
from sweep.commands.import_ import ImportRequest, import_results
from sweep.commands.report import ReportRequest, report
from sweep.figures.source import Source
from sweep.pages.page import Notes, PageTable
from sweep.reports.answer import answer
from sweep.reports.document import Table
from sweep.reports.verdict_page import verdict_page
from sweep.reports.verdict_text import report_document
from sweep.verdicts.judge import make_report
from sweep.workspace import Workspace

HOSTILE = '<script>alert("1")</script> & {{ 7*7 }} `a` \u202e日本 $x_1$'
LOSSES = {
    "baseline": [2.50, 2.52, 2.49, 2.51, 2.53],
    "good": [2.40, 2.43, 2.39, 2.41, 2.42],
    HOSTILE: [2.60, 2.61, 2.59, 2.62, 2.63],
    "x" * 64: [2.50, 2.521, 2.489, 2.512, 2.531],
}
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """The elements of a page, and the errors in their nesting."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("page")
    with (folder / "r.csv").open("w") as file:
        rows = [(arm, seed, loss) for arm, each in LOSSES.items() for seed, loss in enumerate(each)]
        csv.writer(file).writerows([("arm", "seed", "loss"), *rows])
    made = Workspace(folder / "runs")
    import_results(made, ImportRequest(files=[folder / "r.csv"], study="x"), Console(quiet=True))
    return made


@pytest.fixture(scope="module")
def page(workspace: Workspace) -> str:
    file = workspace.folder / "report.html"
    assert report(workspace, ReportRequest(form="html", output=file), Console(quiet=True)) == 0
    return file.read_text()


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    assert found.open == []
    return found


def test_the_page_begins_with_the_answer_and_goes_on_in_the_order_of_the_manual(page: str) -> None:
    titles = re.findall(r"<h2 id=[^>]*>(.*?)</h2>", page)
    assert titles == [
        *("Verdicts", "Effects on loss", "Loss of every seed"),
        *("Noise", "Effects that can be detected"),
        *("Plan", "Provenance", "Confounders", "How to reproduce"),
    ]
    assert page.index('class="answer"') < page.index("<h2")


def test_sentences_stand_above_the_table_that_they_are_about(workspace: Workspace) -> None:
    source = Source(store := workspace.open_to_read(), store.study("x"))
    of_text: list[Column[str]] = [Column("word", str)]
    made = report_document(source.report)
    more = ["Of the next table:", Table(of_text, ["red"]), "At the end."]
    made = replace(made, parts=[*made.parts, *more])
    verdicts = verdict_page(made, source, store.arms("x")).sections[0]
    first, *rest = verdicts.parts
    assert isinstance(first, PageTable)
    notes, before, second, after = rest
    assert isinstance(notes, Notes)
    assert isinstance(second, PageTable)
    assert (before, second.rows[0][0].text, after) == ("Of the next table:", "red", "At the end.")


def test_the_answer_names_what_is_better_and_counts_the_rest(workspace: Workspace) -> None:
    store = workspace.open_to_read()
    said = answer(make_report(store, store.study("x")))
    assert said.startswith("1 of 3 changes lowers the loss by more than chance: `good` (−0.1")
    assert "; 1 is worse (<script>" in said
    assert said.endswith(" 1 is undecided.")


def test_names_are_text_and_never_markup(page: str, outline: Outline) -> None:
    assert [tag for tag, _ in outline.tags if tag == "script"] == ["script"]
    assert "alert(&#34;1&#34;)" in page
    assert "<script>alert" not in page
    assert "{{ 7*7" in page  # not carried out as a template
    assert "\u202e" not in page


def test_nothing_is_loaded_from_elsewhere(page: str, outline: Outline) -> None:
    addresses = [
        value
        for _, attributes in outline.tags
        for name, value in attributes.items()
        if name in {"src", "href", "action", "data", "srcset"}
    ]
    assert addresses
    assert all(str(value).startswith(("#", "data:,")) for value in addresses)
    assert "url(" not in page
    assert "@import" not in page
    assert len(page.encode()) < 500_000


def test_every_figure_has_a_text_and_every_table_has_headers(outline: Outline) -> None:
    figures = [
        attributes for tag, attributes in outline.tags if tag == "svg" and "role" in attributes
    ]
    assert len(figures) == 2 * 4  # one for a screen and one for a phone
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for figure in figures:
        assert {*str(figure["aria-labelledby"]).split()} <= {*ids}
    scopes = [attributes.get("scope") for tag, attributes in outline.tags if tag == "th"]
    assert set(scopes) == {"col", "row"}


def test_the_same_study_gives_the_same_page(
    workspace: Workspace, page: str, tmp_path: Path
) -> None:
    file = tmp_path / "again.html"
    assert report(workspace, ReportRequest(form="html", output=file), Console(quiet=True)) == 0
    assert file.read_text() == page
