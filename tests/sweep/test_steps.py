"""The steps of a ladder in a report: each arm beside the arm that it adds one change to."""

from __future__ import annotations

import io
from copy import deepcopy
from typing import Any

import pytest
from rich.console import Console

from analysis.steps import StepVerdict
from sweep.commands.compare import CompareRequest, compare_two
from sweep.figures.source import Source
from sweep.pages.page import Notes, PageTable
from sweep.reports.formats import FORMATS
from sweep.reports.steps_text import step_verdict
from sweep.reports.verdict_page import verdict_page
from sweep.reports.verdict_text import report_document
from sweep.verdicts.judge import make_report
from sweep.verdicts.steps import StudyStep
from sweep.workspace import Workspace
from tests.sweep.stores import ORIGIN, Trainer

MEANS = {"baseline": 3.0, "no-dropout": 2.8, "clip": 3.1, "bias": 3.0, "two": 2.9, "three": 2.9}
STEPS = [("two", "clip", "no-dropout"), ("two", "no-dropout", "clip"), ("three", "bias", "two")]


@pytest.fixture
def ladder(content: dict[str, Any]) -> dict[str, Any]:
    """Three interventions and two stacks, of which the second adds one to the first."""
    new = deepcopy(content)
    new["interventions"]["bias"] = {"because": "x", "set": {"model.qkv_bias": True}}
    members = ["no-dropout", "clip"]
    new["stacks"] = {"two": {"combine": members}, "three": {"combine": [*members, "bias"]}}
    new["design"]["seeds"] = 4
    return new


def outcome(arm: str, seed: int) -> dict[str, Any]:
    """Losses by arm, with little noise of each run; `three` is now better, now worse than `two`."""
    noise = (len(arm) * seed * 7 % 11 - 5) / 10_000 + (arm == "three") * (-1) ** seed / 20
    return {"test_loss": MEANS[arm] + seed / 10 + noise, "tokens": 2048, "provenance": ORIGIN}


def table(train: Trainer) -> str:
    return " ".join(train.table().split())


def test_on_a_page_the_sentences_about_steps_stand_around_their_table(
    train: Trainer, ladder: dict[str, Any]
) -> None:
    train(ladder, outcome)
    source = Source(train.store, train.store.study("tiny"))
    page = verdict_page(report_document(source.report), source, [])
    arms, notes, lead, steps, after = page.sections[0].parts
    assert isinstance(arms, PageTable)
    assert isinstance(notes, Notes)
    assert isinstance(steps, PageTable)
    assert (arms.title, steps.title) == ("Effects on test loss, nats per token", "Steps")
    assert str(lead).startswith("Each step on the one before")
    assert "more seeds of both arms" in str(after)
    assert not [each for each in notes.sentences if "step" in each]


def test_each_step_is_judged_beside_the_arm_that_it_adds_one_change_to(
    train: Trainer, ladder: dict[str, Any]
) -> None:
    train(ladder, outcome)
    steps = train.report()["steps"]
    assert [(each["arm"], each["adds"], each["before"]) for each in steps] == STEPS
    assert [each["effect"] for each in steps] == pytest.approx([0.1, -0.2, 0.0], abs=0.001)
    assert [each["verdict"] for each in steps] == ["worse", "better", "undecided"]
    assert {each["n"] for each in steps} == {4}
    said = table(train)
    assert "Each step on the one before: the arm − the arm that it adds one change to, seed" in said
    assert "p is adjusted over 3 steps (holm), apart from the verdicts above." in said
    by_arm = {each["arm"]: each["verdict"] for each in train.report()["arms"]}
    assert by_arm["two"] == "better"


@pytest.mark.parametrize("form", FORMATS)
def test_the_steps_are_in_every_format_but_csv_which_has_one_table(
    train: Trainer, ladder: dict[str, Any], form: str
) -> None:
    train(ladder, outcome)
    text = FORMATS[form].write(report_document(make_report(train.store, train.store.study("tiny"))))
    assert ("Each step on the one before" in text or '"steps"' in text) == (form != "csv")


def test_after_an_extension_and_in_a_race_e_values_judge_the_steps(
    train: Trainer, ladder: dict[str, Any]
) -> None:
    train(ladder, outcome)
    first = {each["before"]: each for each in train.report()["steps"]}
    ladder["design"]["seeds"] = 9
    train(ladder, outcome)
    later = {each["before"]: each for each in train.report()["steps"]}
    assert (later["clip"]["basis"], later["clip"]["p"]) == ("planned", first["clip"]["p"])
    assert (later["two"]["basis"], later["two"]["method"]) == ("looks", "e-value")
    assert "Some of these rest on e-values, which hold whatever decided" in table(train)
    raced = {**ladder, "design": {"seeds": {"start": 3, "most": 6}}, "question": "A race?"}
    raced["baseline"] = {**ladder["baseline"], "train": {"tokens": 4096, "batch_size": 8}}
    train(raced, outcome)
    assert {each["method"] for each in train.report()["steps"]} == {"e-value"}


@pytest.mark.parametrize("kind", ["one-at-a-time", "leave-one-out", "factorial"])
def test_without_stacks_or_with_effects_that_answer_it_there_is_no_table_of_steps(
    train: Trainer, ladder: dict[str, Any], kind: str
) -> None:
    del ladder["stacks"]
    ladder["design"] |= {"kind": kind, "seeds": 2}
    train(ladder, lambda arm, seed: {"test_loss": 3 + len(arm) % 3 / 10 + seed % 2 / 100})
    assert "steps" not in train.report()
    assert "Each step" not in train.table()


def test_an_arm_without_runs_and_one_that_diverges_are_said_to_be_so(
    train: Trainer, ladder: dict[str, Any]
) -> None:
    lost = {"test_loss": None, "chunk_losses": []}

    def some(arm: str, seed: int) -> dict[str, Any]:
        if arm == "three":
            return {}
        if arm == "two":
            return {"state": "diverged", "diverged_at": 2, **lost}
        return outcome(arm, seed)

    train(ladder, some)
    verdicts = [each["verdict"] for each in train.report()["steps"]]
    assert verdicts == ["unstable", "unstable", "undecided"]
    said = table(train)
    assert "unstable, 4 diverged" in said
    assert "undecided (no pair of runs)" in said


@pytest.mark.parametrize(
    ("seeds", "words"), [(None, "better (provisional)"), (4, "undecided (+4, provisional)")]
)
def test_a_step_of_which_runs_are_missing_is_provisional_as_an_arm_is(
    seeds: int | None, words: str
) -> None:
    result = StepVerdict(
        arm="b",
        before="a",
        n=3,
        n_missing=1,
        n_diverged=0,
        verdict="undecided" if seeds else "better",
        basis="provisional",
        seeds_to_settle=seeds,
    )
    assert step_verdict(StudyStep(adds="x", result=result)) == words


@pytest.mark.parametrize("sides", [("three", "two"), ("two", "three")])
def test_compare_says_the_verdict_on_the_step_between_two_rungs(
    train: Trainer, ladder: dict[str, Any], sides: tuple[str, str]
) -> None:
    train(ladder, outcome)
    console = Console(file=io.StringIO(), width=200)
    with console.capture() as said:
        compare_two(Workspace(train.folder / "runs"), CompareRequest(*sides), console)
    sentence = "Verdict of tiny: 'three', which adds 'bias' to 'two': undecided"
    assert sentence in " ".join(said.get().split())
