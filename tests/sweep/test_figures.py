"""Figures have the numbers of the report, in the report's unit, and say what they leave out."""

from __future__ import annotations

import io
import math
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from analysis.pictures.figure import Dots, Figure, Rule
from analysis.pictures.scale import log_axis
from sweep.commands.plot import PlotRequest, plot
from sweep.figures.forest import forest_rows
from sweep.figures.registry import FIGURES
from sweep.figures.search import search
from sweep.figures.source import Source
from sweep.metrics.metric import Direction
from sweep.pages.page import Code
from sweep.pages.render import render
from sweep.reports.answer import answer
from sweep.reports.guard_text import Answer
from sweep.reports.verdict_page import verdict_page
from sweep.reports.verdict_text import report_document
from sweep.searching.results import ArmSearch
from sweep.searching.trials import Outcome, Trial
from sweep.study.overrides import parse_overrides
from sweep.verdicts.analysis_plan import NO_QUESTIONS, Questions
from sweep.verdicts.judge import make_report
from tests.sweep.importer import Importer
from tests.sweep.one_by_one import OneByOne
from tests.sweep.stores import Outcome as Outcomes
from tests.sweep.stores import Trainer, usual
from trainer.rundir.directory import Event

Content = dict[str, Any]
STEPS = range(10, 110, 10)
SPEEDS = {"baseline": 170.0, "no-dropout": 170.05, "clip": 120.0}


class WithCurves(Trainer):
    """Records a training curve with each result; a run that diverges stops at step 30."""

    def record(self, queue: OneByOne, run_id: str, changes: Content) -> None:
        last = changes.get("diverged_at") or STEPS[-1]
        events = [
            Event(step=step, loss=3.0 - step / 200, learning_rate=1e-3, tokens_per_second=170.0)
            for step in STEPS
            if step <= last
        ]
        queue.record(run_id, self.make_result(**changes), events, 1)


def outcome(arm: str, seed: int) -> Content:
    found = {**usual(arm, seed), "tokens_per_second": SPEEDS[arm] + (len(arm) * seed) % 3 / 10}
    if (arm, seed) == ("clip", 2):
        lost = {"test_loss": None, "bits_per_byte": None, "chunk_losses": []}
        found |= {"state": "diverged", "diverged_at": 30, "cause": "loss is nan", **lost}
    return found


@pytest.fixture
def trained(train: Trainer, content: Content) -> Trainer:
    content["design"]["seeds"] = 4
    content["analysis"]["guards"] = {"tokens_per_second": "-5%"}
    made = WithCurves(train.store, train.folder, train.make_result)
    made(content, outcome)
    return made


def source_of(made: Trainer, questions: Questions = NO_QUESTIONS) -> Source:
    study = made.store.study("tiny")
    return Source(made.store, study, make_report(made.store, study, questions))


def figure_of(source: Source, kind: str) -> Figure:
    found = FIGURES[kind].make(source)
    assert found
    return found


def levels(figure: Figure) -> list[float]:
    """Where the dashed lines across panels are."""
    marks = [mark for panel in figure.panels for mark in panel.marks]
    return [mark.value for mark in marks if isinstance(mark, Rule) and mark.dashed]


def test_a_run_that_diverged_does_not_cut_the_mean_curve_of_its_arm(trained: Trainer) -> None:
    source = source_of(trained)
    baseline, clip = (source.curves.mean_curve(arm) for arm in ("baseline", "clip"))
    assert baseline
    assert clip
    assert (baseline.seeds, clip.seeds) == (4, 3)
    assert clip.steps == baseline.steps == list(STEPS)


def test_the_effect_on_another_metric_is_not_drawn_among_losses(trained: Trainer) -> None:
    source = source_of(trained)
    effects = [arm.effect for arm in source.report.arms[1:]]
    assert levels(figure_of(source, "difference")) == effects
    asked = source_of(trained, Questions(metric="tokens_per_second"))
    figure = figure_of(asked, "difference")
    assert levels(figure) == []
    assert figure.y_title == "arm − baseline, nats per token  (↓ better)"
    assert max(abs(end) for panel in figure.panels for end in (panel.y.low, panel.y.high)) < 2


def test_a_guards_figure_writes_changes_as_the_report_does(trained: Trainer) -> None:
    source = source_of(trained)
    (guard,) = source.report.guards
    answers = guard.answers.values()
    written = [Answer(guard, each).change(each.change).replace("-", "−") for each in answers]
    assert written[0] == "+0.01%"
    (panel,) = figure_of(source, "guards").panels
    assert [note.split(",")[0] for note in panel.notes] == written


def test_forest_rows_are_the_report_s_effects_and_intervals(trained: Trainer) -> None:
    source = source_of(trained)
    rows = {row.name: (row.effect, row.low, row.high, row.verdict) for row in forest_rows(source)}
    arms = trained.report()["arms"][1:]
    assert rows == {
        arm["arm"]: (arm["effect"], arm["ci_low_adjusted"], arm["ci_high_adjusted"], arm["verdict"])
        for arm in arms
    }


def test_rows_that_are_left_out_are_said_to_every_reader(
    importer: Importer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("forest", "seeds"):
        monkeypatch.setattr(f"sweep.figures.{module}.MAX_ROWS", 2)
    monkeypatch.setattr("sweep.figures.seeds.MAX_LINES", 3)
    rows = [f"{arm},{seed},{2 + seed / 50}" for arm in ("baseline", *"abcd") for seed in range(5)]
    importer("\n".join(["arm,seed,loss", *rows]))
    store = importer.workspace.open_to_read()
    source = Source(store, store.study("x"))
    monkeypatch.setattr("sweep.figures.forest.MAX_DOTS", 2)
    monkeypatch.setattr("sweep.figures.forest.LEAST_DOTS", 4)
    of_all = "2 more effects are not drawn. 1 more seed is not drawn."
    assert figure_of(source, "forest").left_out == of_all
    assert figure_of(source, "seeds").left_out == (
        "2 more seeds are not drawn. 3 more arms are not drawn."
    )
    said = Console(file=io.StringIO(), width=200)
    with said.capture() as printed:
        plot(importer.workspace, PlotRequest(kind="forest", output=tmp_path / "f.svg"), said)
    assert of_all in printed.get()
    assert f"{of_all}</figcaption>" in render(
        verdict_page(report_document(source.report), source, store.arms("x"))
    )


def test_power_is_drawn_at_the_seeds_that_there_are_however_many(importer: Importer) -> None:
    rows = [
        f"{arm},{seed},{2 + (seed * place % 7) / 50}"
        for place, arm in enumerate(("baseline", "lr-0.5"), 1)
        for seed in range(1_000)
    ]
    importer("\n".join(["arm,seed,loss", *rows]))
    store = importer.workspace.open_to_read()
    figure = figure_of(Source(store, store.study("x")), "power")
    assert "With 1,000 seeds: " in figure.summary
    (panel,) = figure.panels
    assert panel.x.low < 1_000 < panel.x.high


@pytest.mark.parametrize(("effect", "written"), [(-0.5, "−0.5000"), (-1.5, "−1.5000")])
def test_the_answer_leaves_names_as_they_are_and_has_one_kind_of_minus(
    importer: Importer, effect: float, written: str
) -> None:
    rows = [
        f"{arm},{seed},{3 + seed / 50 + (seed * seed % 3) / 99999 * bool(change) + change}"
        for arm, change in (("baseline", 0.0), ("lr-0.5", effect))
        for seed in range(6)
    ]
    importer("\n".join(["arm,seed,loss", *rows]))
    store = importer.workspace.open_to_read()
    said = answer(make_report(store, store.study("x")))
    assert f"`lr-0.5` ({written})" in said


def test_the_command_that_a_page_gives_trains_the_study_with_its_overrides(
    train: Trainer, content: Content
) -> None:
    train(content)
    source = source_of(train)
    overrides = {"model.qkv_bias": True, "data.corpus": "my corpus", "tag": "3"}
    report = replace(source.report, plan=replace(source.report.plan, overrides=overrides))
    store = train.store
    page = verdict_page(
        report_document(report), Source(store, store.study("tiny"), report), store.arms("tiny")
    )
    (code,) = [part for part in page.sections[-1].parts if isinstance(part, Code)]
    command, _ = code.text.splitlines()
    words = [word for word in shlex.split(command) if "=" in word]
    assert parse_overrides(words) == overrides


def test_a_logarithmic_axis_between_two_round_numbers_has_ticks() -> None:
    for low, high in [(0.0055, 0.0095), (0.21, 0.24), (3.0, 3.0)]:
        axis = log_axis([low, high])
        assert len(axis.ticks) >= 2
        assert all(axis.low <= tick.value <= axis.high for tick in axis.ticks)


@pytest.mark.parametrize(
    ("direction", "values", "best"),
    [
        (Direction.MINIMIZE, [2.5, math.inf, 2.25], "2.2500"),
        (Direction.MAXIMIZE, [0.5, -math.inf, 0.75], "0.7500"),
        (Direction.MINIMIZE, [math.inf, math.inf], None),
    ],
)
def test_a_search_is_drawn_though_trials_diverged(
    direction: Direction, values: list[float], best: str | None
) -> None:
    found = [
        Trial(
            number=number,
            arm="clip",
            name=f"clip-{number}",
            values={"optimizer.learning_rate": 1e-3},
            sampler_state={},
            outcome=Outcome.COMPLETE,
            value=value,
            pruned_at=None,
            asked=0.0,
            runs=[],
        )
        for number, value in enumerate(values)
    ]
    arm = ArmSearch(
        arm="clip", planned=len(found), trials=found, direction=direction, importance=None
    )
    of_all = SimpleNamespace(result=SimpleNamespace(arms=[arm]))
    figure = search(cast("Source", SimpleNamespace(tuning=of_all)))
    if best is None:
        assert figure is None
        return
    assert figure
    assert f"best is trial 2: {best}" in figure.summary
    tips = [tip for mark in figure.panels[0].marks if isinstance(mark, Dots) for tip in mark.tips]
    assert [tip.split(" (")[0] for tip in tips if "diverged" in tip] == ["trial 1: diverged"]


def diverged(arm: str, seed: int) -> Content:
    lost = {"test_loss": None, "bits_per_byte": None, "chunk_losses": []}
    found = {"state": "diverged", "diverged_at": 30, "cause": "loss is nan", **lost}
    return found if (arm, seed) != ("clip", 1) else usual(arm, seed)


def nothing(_arm: str, _seed: int) -> Content:
    return {}


@pytest.mark.parametrize("results", [nothing, diverged])
def test_a_study_without_results_of_its_baseline_has_a_page(
    train: Trainer, content: Content, results: Outcomes
) -> None:
    train(content, results)
    source = source_of(train)
    document, arms = report_document(source.report), train.store.arms("tiny")
    page = verdict_page(document, source, arms)
    ended = 0 if results is nothing else 6
    assert page.answer == f"No verdict yet, and no effect is known: {ended} of 6 runs have ended."
