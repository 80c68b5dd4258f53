"""`sweep plot`: every figure in every format, and what cannot be drawn."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console

from analysis.pictures.files import figure_bytes
from analysis.pictures.sizes import SIZES
from analysis.pictures.svg import svg_figure
from sweep.commands.import_ import ImportRequest, import_results
from sweep.commands.plot import SUFFIXES, PlotRequest, file_kind, plot
from sweep.errors import ResultsError, UserError
from sweep.figures.registry import FIGURES
from sweep.figures.source import Source
from sweep.workspace import Workspace

QUIET = Console(quiet=True)
OF_AN_IMPORT = {"forest", "seeds", "noise", "power"}
"""Figures that results without curves have."""
BEGINNINGS = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("plot")
    with (folder / "r.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(("arm", "seed", "loss"))
        for place, arm in enumerate(["baseline", "$a_1$ <b>", "日本" * 20, "diverging"]):
            writer.writerows((arm, seed, 2.5 - place / 50 + seed**2 / 90) for seed in range(5))
    made = Workspace(folder / "runs")
    import_results(made, ImportRequest(files=[folder / "r.csv"], study="x"), QUIET)
    return made


@pytest.fixture(scope="module")
def source(workspace: Workspace) -> Source:
    store = workspace.open_to_read()
    return Source(store, store.study("x"))


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_is_drawn_or_the_error_says_what_it_needs(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    request = PlotRequest(kind=kind, output=tmp_path / "f.svg", size="column")
    if kind not in OF_AN_IMPORT:
        with pytest.raises(ResultsError) as caught:
            plot(workspace, request, QUIET)
        assert str(caught.value) == f"x has no figure {kind}: that needs {FIGURES[kind].needs}"
        return
    assert plot(workspace, request, QUIET) == 0
    assert ET.parse(tmp_path / "f.svg").getroot().tag.endswith("svg")  # noqa: S314  (we wrote it)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffix_gives_the_format_and_the_same_results_the_same_bytes(
    source: Source, suffix: str
) -> None:
    figure = FIGURES["forest"].make(source)
    assert figure
    content = figure_bytes(figure, file_kind(Path(f"x{suffix.upper()}")), SIZES["column"])
    assert content.startswith(BEGINNINGS[suffix])
    assert content == figure_bytes(figure, file_kind(Path(f"x{suffix}")), SIZES["column"])


@pytest.mark.parametrize("name", ["x.jpg", "x"])
def test_another_suffix_is_refused_with_the_ones_there_are(name: str) -> None:
    with pytest.raises(UserError, match=r"end the name in \.svg, \.png or \.pdf"):
        file_kind(Path(name))


@pytest.mark.parametrize("kind", sorted(OF_AN_IMPORT))
@pytest.mark.parametrize("width", [358, 932])
def test_the_page_has_the_same_marks_and_no_text_leaves_the_picture(
    source: Source, kind: str, width: float
) -> None:
    figure = FIGURES[kind].make(source)
    assert figure
    root = ET.fromstring(svg_figure(figure, width, "f"))  # noqa: S314  (we wrote it)
    _, _, right, bottom = map(float, root.attrib["viewBox"].split())
    assert right == width
    for text in root.iter("text"):
        assert 0 <= float(text.attrib["x"]) <= right
        assert 0 <= float(text.attrib["y"]) <= bottom
    summary = root.find("desc")
    assert summary is not None
    assert summary.text == figure.summary
