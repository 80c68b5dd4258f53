"""The pages of runs and arms, and comparisons of two of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, insert

from sweep.commands.compare import CompareRequest, compare_two
from sweep.commands.show import ShowRequest, show
from sweep.errors import NotFoundError
from sweep.metrics.metric import Direction
from sweep.reports.plot import Series, plot
from sweep.reports.run_page import metric_words
from sweep.store.find_run import find_run
from sweep.store.schema import curves, metric_points
from sweep.store.store import Store
from sweep.terminal.console import SafeConsole
from sweep.verdicts.comparison import Side, compare
from sweep.workspace import Workspace
from tests.sweep.importer import Importer
from trainer.corpora.corpus import Corpus, CorpusInfo, save_corpus

ARMS = (("baseline", 0.0), ("clip", 0.25))
Said = Callable[[Callable[[Workspace, SafeConsole], int]], str]


@pytest.fixture
def said(filled: Store, tmp_path: Path) -> Said:
    assert filled.file

    def call(command: Callable[[Workspace, SafeConsole], int]) -> str:
        seen = io.StringIO()
        assert command(Workspace(tmp_path / "runs"), SafeConsole(file=seen)) == 0
        return seen.getvalue()

    return call


def test_the_page_of_a_run_says_what_it_is_and_how_it_ended(said: Said) -> None:
    page = said(lambda work, console: show(work, ShowRequest("no-dropout/1"), console))
    first, *lines = page.splitlines()
    assert first.startswith("no-dropout/1 of tiny: ")
    assert "model.dropout = 0.0 (baseline: 0.1)" in page
    assert any(line.split()[:1] == ["seeds"] for line in lines)
    assert "Attempts:" in page
    assert "sweep compare baseline/1 no-dropout/1 --study tiny" in page


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("peak_memory_bytes", 465_601_000.0, "465.6 MB"),
        ("parameters", 136_704, "136,704"),
        ("accuracy", 0.931254321, "0.931254"),
        ("perplexity", 1e30, "1e+30"),
    ],
)
def test_a_page_writes_sizes_and_counts_without_exponents(
    name: str, value: float, words: str
) -> None:
    assert metric_words(name, value) == f"{name} {words}"


def test_a_failed_run_and_one_that_has_not_begun_have_a_page(said: Said, filled: Store) -> None:
    for planned in filled.study_runs("tiny"):
        word = f"{planned.arm}/{planned.seed}"
        page = said(lambda work, console, word=word: show(work, ShowRequest(word), console))  # type: ignore[misc]
        assert page.startswith(f"{word} of tiny: ")
        assert planned.run.state in page or planned.run.state == "diverged"


def test_the_page_of_an_arm_says_its_verdict_and_lists_its_seeds(said: Said) -> None:
    page = said(lambda work, console: show(work, ShowRequest("no-dropout"), console))
    assert page.startswith("no-dropout of tiny: ")
    assert "How the verdict came:" in page
    baseline = said(lambda work, console: show(work, ShowRequest("baseline"), console))
    assert baseline.startswith("baseline, the baseline of tiny: mean test_loss")
    arm = said(lambda work, console: show(work, ShowRequest("no-dropout", form="json"), console))
    assert json.loads(arm)["arm"] == "no-dropout"


def test_the_curve_of_an_arm_is_called_by_its_metric(said: Said, filled: Store) -> None:
    points = [
        {"run_id": find_run(filled, f"{arm}/1").run.id, "name": "accuracy", "step": 1, "value": 0.5}
        for arm in ("baseline", "no-dropout")
    ]
    with filled.write() as connection:
        connection.execute(delete(curves))
        connection.execute(insert(metric_points), points)
    page = said(lambda work, console: show(work, ShowRequest("no-dropout"), console))
    assert "Accuracy minus the baseline's, mean over 1 seed" in page


def test_two_runs_are_compared_by_recipe_loss_and_curve(said: Said, filled: Store) -> None:
    request = CompareRequest("baseline/1", "no-dropout/1", form="json")
    made = json.loads(said(lambda work, console: compare_two(work, request, console)))
    assert [each["field"] for each in made["changes"]] == ["model.dropout"]
    (pair,) = made["pairs"]
    losses = [find_run(filled, word).run.test_loss for word in ("baseline/1", "no-dropout/1")]
    assert [pair["first"], pair["second"]] == losses
    text = said(lambda work, c: compare_two(work, CompareRequest("baseline", "no-dropout"), c))
    assert text.startswith("no-dropout against baseline: ")


def test_chunks_that_lose_most_are_shown_with_the_beginning_of_their_text_on_one_line(
    said: Said, filled: Store, tmp_path: Path
) -> None:
    command = CompareRequest("baseline", "no-dropout")
    hashed = find_run(filled, "baseline/1").run.corpus_hash
    words = f"Their text cannot be shown: the corpus {hashed} is not below"
    assert words in said(lambda work, console: compare_two(work, command, console))
    text = "\tif x:\n\x1b[2J".ljust(64).encode() + "äb".encode()[1:].ljust(65)
    tokens = np.frombuffer(text, dtype=np.uint8).astype(np.uint16)
    info = CorpusInfo("mine", "bytes", hashed, 1, len(tokens), len(tokens))
    save_corpus(Corpus(info, tokens, tokens, np.ones(257, np.int64)), tmp_path / "runs" / "cache")
    page = said(lambda work, console: compare_two(work, command, console))
    assert r"\tif x:\n\x1b[2J" in page
    assert "�b" in page
    assert "Their text" not in page
    as_json = CompareRequest("baseline", "no-dropout", form="json")
    made = json.loads(said(lambda work, console: compare_two(work, as_json, console)))
    assert made["chunks"][0]["text"].startswith("\tif x:\n\x1b[2J")


def test_imported_runs_have_the_value_of_their_own_metric(tmp_path: Path) -> None:
    imported = Importer(tmp_path)
    rows = [f"{arm},{seed},{0.5 + seed / 10 + gain}" for arm, gain in ARMS for seed in (1, 2)]
    imported(
        "\n".join(["arm,seed,accuracy", *rows]),
        direction=Direction.MAXIMIZE,
        columns={"loss": "accuracy"},
    )
    seen = io.StringIO()
    console = SafeConsole(file=seen, width=200)
    compare_two(imported.workspace, CompareRequest("baseline", "clip"), console)
    assert "mean difference of the accuracy +0.2500 over 2 seeds" in seen.getvalue()
    show(imported.workspace, ShowRequest("clip/1"), console)
    assert "clip/1 of x: done, accuracy 0.85." in seen.getvalue()
    assert "test loss" not in seen.getvalue()


def test_two_studies_are_compared_by_their_arms(said: Said) -> None:
    text = said(lambda work, c: compare_two(work, CompareRequest("tiny", "tiny"), c))
    assert "The baselines have the same recipe." in text
    assert "no-dropout" in text


def test_what_cannot_be_compared_is_a_sentence(said: Said) -> None:
    with pytest.raises(NotFoundError, match="did you mean 'no-dropout/1'"):
        said(lambda work, c: compare_two(work, CompareRequest("baseline/1", "no-dropuot/1"), c))


def test_a_comparison_says_from_which_step_on_the_difference_is_there(
    filled: Store, tmp_path: Path
) -> None:
    run = find_run(filled, "baseline/1").run
    side = Side("a", run.recipe, {1: run}, is_run=True)
    made = compare(filled, tmp_path / "runs", side, side, "test_loss")
    assert made.arises_at is None
    object.__setattr__(
        made, "differences", {step: 0.0 if step < 50 else -0.1 for step in range(100)}
    )
    assert made.arises_at
    assert 45 <= made.arises_at <= 55


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("width", [20, 79, 200])
def test_a_plot_fits_its_width_and_names_its_curves(width: int, unicode: bool) -> None:
    steps = list(range(1, 50))
    falling = Series("falling", steps, [5 / step for step in steps])
    gaps = Series("gaps", steps, [None if step % 3 else 2.0 for step in steps])
    lines = [line.plain for line in plot([falling, gaps], width, 8, unicode=unicode)]
    assert len(lines) == 10
    assert width < 40 or max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "falling" in text
    assert "gaps" in text
    assert unicode or text.isascii()


@pytest.mark.parametrize("values", [[], [None], [1.0], [1.0, 1.0], [float("inf"), 2.0]])
def test_a_curve_of_few_points_is_no_error(values: list[float | None]) -> None:
    lines = plot([Series("x", list(range(len(values))), values)], 60, signed=True)
    assert bool(lines) == any(value not in {None, float("inf")} for value in values)


def test_a_constant_curve_of_large_values_is_drawn() -> None:
    assert plot([Series("x", [1, 2], [1e18, 1e18])], 60)
