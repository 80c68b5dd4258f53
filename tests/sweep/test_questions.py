"""Margin, target and exchange of a study and of an import, from the file to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sweep.cli import app
from sweep.design.arms import make_plan
from sweep.errors import ResultsError
from sweep.reports.question_text import worth_text
from sweep.reports.verdict_json import report_json
from sweep.study.file import parse_study
from sweep.study.mistakes import InvalidStudyError
from sweep.verdicts.analysis_plan import Questions
from sweep.verdicts.judge import make_report
from tests.sweep.importer import Importer
from tests.sweep.stores import Trainer, usual

Content = dict[str, Any]
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "published"
RUNS = "arm,seed,loss\n" + "".join(
    f"{arm},{seed},{loss + seed / 1000 + (seed % 3) * tilt}\n"
    for arm, loss, tilt in (("baseline", 3.30, 0.0), ("new", 3.27, 1e-4))
    for seed in range(1, 6)
)


def plan_of(content: Content):  # noqa: ANN201  (a Plan)
    return make_plan(parse_study(content, "s.toml"), "s.toml")


def test_a_study_that_asks_nothing_more_has_the_hash_that_it_had(content: Content) -> None:
    plan = plan_of(content)
    assert plan.content()["analysis"].keys() == {"alpha", "correction", "smallest_effect"}
    for field, value in {"margin": 0.005, "target": 3.28, "exchange": [0.8]}.items():
        asked = {**content, "analysis": {**content["analysis"], field: value}}
        assert plan_of(asked).hash != plan.hash


def test_exchange_adds_the_baseline_with_other_budgets_and_the_same_seeds(content: Content) -> None:
    content["analysis"]["exchange"] = [0.5, 2]
    plan = plan_of(content)
    less, more = plan.arms[-2:]
    assert (less.name, more.name) == ("tokens-x0.5", "tokens-x2")
    assert (less.changes, more.changes) == ({"train.tokens": 1024}, {"train.tokens": 4096})
    assert less.specs.keys() == plan.arms[0].specs.keys()
    assert [arm.name for arm in plan.compared] == ["no-dropout", "clip"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"margin": 0}, "'analysis.margin' = 0 must be above 0"),
        ({"target": "low"}, "'analysis.target' = 'low' must be a number"),
        ({"exchange": [1.0]}, "exchange has 1, which is the baseline itself; leave it out"),
        ({"exchange": [0.8, 0.8]}, "exchange has 0.8 twice; name it once"),
        ({"exchange": [0.01]}, "must be at least 0.1"),
        (
            {"exchange": [0.5, 0.52]},
            "'tokens-x0.5' and 'tokens-x0.52' have the same number of steps",
        ),
    ],
)
def test_an_impossible_question_is_refused_in_one_sentence(
    content: Content, changes: Content, sentence: str
) -> None:
    content["analysis"] |= changes
    with pytest.raises(InvalidStudyError) as refused:
        plan_of(content)
    assert sentence in str(refused.value)


def test_a_budget_that_an_intervention_sets_too_is_refused(content: Content) -> None:
    content["interventions"]["half"] = {"because": "Less.", "set": {"train.tokens": 1024}}
    content["analysis"]["exchange"] = [0.5]
    with pytest.raises(InvalidStudyError, match=r"'half' and 'tokens-x0\.5' .* the same recipe"):
        plan_of(content)
    content["interventions"]["tokens-x0.5"] = content["interventions"].pop("half")
    with pytest.raises(InvalidStudyError, match=r"makes an arm 'tokens-x0\.5', and there is one"):
        plan_of(content)


TOKENS = {"tokens-x0.5": 0.07, "tokens-x2": -0.07}


def outcome(arm: str, seed: int) -> Content:
    """Every doubling of the tokens takes 0.07 nats off the baseline's loss."""
    effect = {"no-dropout": -0.035, "clip": 0.07, **TOKENS}.get(arm, 0.0)
    wobble = (len(arm) * seed) % 5 / 10_000
    return {"test_loss": usual("baseline", seed)["test_loss"] + effect + wobble}


@pytest.fixture
def exchanged(train: Trainer, content: Content) -> Trainer:
    content["design"]["seeds"] = 4
    content["analysis"]["exchange"] = [0.5, 2]
    train(content, outcome)
    return train


def test_effects_are_given_in_tokens_and_budgets_are_no_questions(exchanged: Trainer) -> None:
    report = exchanged.report()
    arms = {arm["arm"]: arm for arm in report["arms"]}
    assert (report["family"], report["exchange"]) == (2, [0.5, 2])
    assert arms["no-dropout"]["worth_tokens"] == pytest.approx(2**0.5 - 1, abs=0.01)
    assert arms["clip"]["worth_tokens"] == pytest.approx(-0.5, abs=0.01)
    assert arms["tokens-x2"]["worth_tokens"] is None
    table = exchanged.table()
    assert (
        "tokens: what an effect is worth, by the baseline with 0.5 and 2 times its tokens" in table
    )
    assert "+42% (+41, +42)" in table
    assert "Confounded" not in table


def test_budgets_that_are_taken_out_again_leave_no_question_behind(
    exchanged: Trainer, content: Content
) -> None:
    del content["analysis"]["exchange"]
    exchanged(content, outcome)
    report = exchanged.report()
    assert report["family"] == 2
    assert report["plan"]["withdrawn"] == []


def test_a_report_without_questions_has_no_columns_and_sentences_on_them(
    train: Trainer, content: Content
) -> None:
    train(content)
    table = train.table()
    assert not [word for word in ("p margin", "p target", "tokens:", "Asked on") if word in table]


def test_margin_and_target_of_a_study_have_their_columns(train: Trainer, content: Content) -> None:
    content["design"]["seeds"] = 4
    content["analysis"] |= {"margin": 0.02, "target": 2.55}
    train(content, outcome)
    table = train.table()
    assert "better, by at least the margin" in table
    assert "p target: one-sided, small if the arm's mean is shown to be below 2.55" in table
    assert "p margin  p target" in table


def test_an_import_keeps_its_questions_and_the_report_s_take_their_place(
    importer: Importer,
) -> None:
    importer(RUNS, target=3.28, margin=0.005)
    assert (importer.report()["target"], importer.report()["margin"]) == (3.28, 0.005)
    importer(RUNS.replace("new", "other"), name="more.csv")
    assert importer.report()["target"] == 3.28
    store = importer.workspace.open()
    with store:
        made = make_report(store, store.study("x"), Questions(target=3.26))
        found = report_json(made)
    assert (found["target"], found["margin"], found["asked"]) == (3.26, 0.005, {"target": 3.26})
    new = {arm["arm"]: arm for arm in found["arms"]}["new"]
    assert new["p_target"] > 0.99
    assert new["by_margin"]


def test_an_import_that_asks_nothing_is_stored_as_before(importer: Importer) -> None:
    importer(RUNS)
    with importer.workspace.open() as store:
        plan = store.plan(store.study("x"))
    assert plan.json["analysis"].keys() == {"alpha", "correction", "smallest_effect"}


@pytest.mark.parametrize(("option", "value"), [("margin", -1.0), ("target", float("nan"))])
def test_impossible_questions_of_an_import_are_refused(
    importer: Importer, option: str, value: float
) -> None:
    with pytest.raises(ResultsError, match=f"--{option} is {value}; give"):
        importer(RUNS, **{option: value})


def test_the_command_refuses_an_impossible_question(importer: Importer) -> None:
    importer(RUNS)
    words = ["report", "x", "--margin", "0", "--runs", str(importer.workspace.folder)]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, ResultsError)
    assert str(done.exception) == "--margin is 0.0; give nats, above 0"


# The README of the records of six speed-run variants gives these one-sided p-values of a mean loss
# below 3.28: ten runs each, no seeds.
RECORDS = {
    "baseline": 0.0036,
    "baseline-1430": 1.0,
    "mudd-v1-1430": 0.0040,
    "mudd-v1-1415": 0.9982,
    "mudd-v2-1415": 0.0001,
    "mudd-v3-1415": 0.0000,
}


def test_published_p_values_of_a_mean_below_a_target_are_found(importer: Importer) -> None:
    file = PUBLISHED / "mudd.csv"
    if not file.exists():
        pytest.skip("the published results lie outside the repository, in ../shared/data: absent")
    importer(file.read_text(), target=3.28)
    found = {arm: row["p_target"] for arm, row in importer.arms().items()}
    assert found == pytest.approx(RECORDS, abs=5e-5)


def test_a_worth_beyond_the_budgets_is_marked(train: Trainer, content: Content) -> None:
    content["design"]["seeds"] = 4
    content["analysis"]["exchange"] = [0.5, 2]
    train(
        content,
        lambda arm, seed: outcome("baseline" if arm == "clip" else arm, seed) | far(arm, seed),
    )
    made = make_report(train.store, train.store.study("tiny"))
    assert worth_text(made.arm("no-dropout")).startswith("+42% (")
    assert worth_text(made.arm("clip")).startswith("~+>999% (")
    assert not worth_text(made.arm("baseline"))
    assert "~ lies outside the budgets that were trained: an extrapolation." in train.table()


def far(arm: str, seed: int) -> Content:
    """`clip` gains as much as many times the tokens would."""
    return {"test_loss": 1.5 + seed / 100} if arm == "clip" else {}
