"""Reports: changes of the plan, the family of arms, confounders, reproducibility."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from sweep.design.arms import make_plan
from sweep.history.changes import plan_changes
from sweep.reports.plan_history import changes_text
from sweep.store.plan_content import PlanContent
from sweep.study.file import parse_study
from tests.sweep.stores import Trainer, changed, usual

Content = dict[str, Any]


def planned(content: Content) -> PlanContent:
    """The plan of a study file, as the database stores it."""
    plan = make_plan(parse_study(deepcopy(content), "s.toml"), "s.toml")
    return PlanContent.from_json(plan.content())


SMALLER = {"because": "Slower.", "set": {"optimizer.learning_rate": 1e-3}}
CHANGES: dict[str, tuple[str, Any, str]] = {
    "alpha": ("analysis/alpha", 0.1, "alpha 0.05 → 0.1"),
    "correction": ("analysis/correction", "none", "correction holm → none"),
    "delta": ("analysis/smallest_effect", 0.02, "smallest_effect 0.01 → 0.02"),
    "more seeds": ("design/seeds", 7, "seeds 2 → 7"),
    "other seeds": ("design/seeds", [1, 3], "seeds 1, 2 → 1, 3"),
    "streams": ("design/vary", ["init"], "vary dropout, init, order → init"),
    "an arm less": ("interventions/clip", None, "arm clip removed"),
    "an arm more": ("interventions/slow", SMALLER, "arm slow added"),
    "an arm changed": (
        "interventions/clip/set",
        {"optimizer.clip_norm": 0.25},
        "arm clip: optimizer.clip_norm 0.5 → 0.25",
    ),
    "the baseline": ("baseline/train/tokens", 4096, "baseline train.tokens 2048 → 4096"),
    "from a default": (
        "baseline/optimizer/weight_decay",
        0.2,
        "baseline optimizer.weight_decay 0.1 → 0.2",
    ),
    "to no value": (
        "interventions/clip/set",
        {"optimizer.beta2": 0.99},
        "arm clip: optimizer.beta2 0.999 → 0.99; arm clip: optimizer.clip_norm 0.5 → none",
    ),
}


@pytest.mark.parametrize(("path", "value", "words"), CHANGES.values(), ids=CHANGES)
def test_changes_of_a_plan_are_listed_field_by_field(
    content: Content,
    path: str,
    value: Any,  # noqa: ANN401  (JSON)
    words: str,
) -> None:
    before, after = map(planned, (content, changed(content, path, value)))
    assert changes_text(plan_changes(before, after)) == words
    assert plan_changes(after, after) == []


def test_an_arm_that_was_renamed_is_the_same_arm(content: Content) -> None:
    renamed = deepcopy(content)
    renamed["interventions"]["gentle"] = renamed["interventions"].pop("clip")
    before, after = map(planned, (content, renamed))
    assert changes_text(plan_changes(before, after)) == "arm clip → gentle"


@pytest.mark.parametrize(
    ("loss", "sentence"), [(2.5, "Values are written to 0.1: identical arms"), (0.0, "")]
)
def test_the_last_digit_of_values_is_named_unless_all_are_zero(
    loss: float, sentence: str, train: Trainer, content: Content
) -> None:
    train(content, lambda arm, seed: {**usual(arm, seed), "test_loss": loss})
    table = train.table()
    assert sentence in table
    assert ("written to" in table) == bool(sentence)


def test_a_report_lists_the_changes_since_the_first_plan(train: Trainer, content: Content) -> None:
    train(content)
    assert train.report()["plan"]["changes"] == []
    assert "not the plan" not in train.table()
    train(changed(changed(content, "analysis/alpha", 0.1), "design/seeds", 3))
    plan = train.report()["plan"]
    assert plan["earlier"] == 1
    assert [(each["what"], each["before"], each["after"]) for each in plan["changes"]] == [
        ("alpha", 0.05, 0.1),
        ("seeds", 2, 3),
    ]
    assert "not the plan that the study began with" in train.table()
    assert "): alpha 0.05 → 0.1; seeds 2 → 3.\n" in train.table()


def test_a_removed_arm_with_runs_is_named_and_counts_in_the_family(
    train: Trainer, content: Content
) -> None:
    train(content)
    p_before = train.report()["arms"][1]["p_adjusted"]
    train(changed(content, "interventions/clip", None))
    report = train.report()
    assert report["family"] == 2
    assert report["arms"][1]["p_adjusted"] == pytest.approx(p_before)
    (gone,) = report["plan"]["withdrawn"]
    assert (gone["arm"], gone["n_done"], gone["in_family"]) == ("clip", 2, True)
    assert "Tried, and no longer in the study: clip (2 done, mean 2.4" in train.table()
    assert "They count in the family" in train.table()
    assert "over a family of 2;" in train.table()


def test_a_removed_arm_that_never_ran_does_not_count_in_the_family(
    train: Trainer, content: Content
) -> None:
    train(content, lambda arm, seed: {} if arm == "clip" else usual(arm, seed))
    train(changed(content, "interventions/clip", None))
    assert train.report()["family"] == 1
    assert train.report()["plan"]["withdrawn"] == []


def test_another_recipe_under_the_same_name_is_another_arm(
    train: Trainer, content: Content
) -> None:
    train(content)
    train(changed(content, "interventions/clip/set", {"optimizer.clip_norm": 0.25}))
    report = train.report()
    assert (report["family"], len(report["arms"])) == (3, 3)
    assert [arm["arm"] for arm in report["plan"]["withdrawn"]] == ["clip"]


def test_an_arm_that_is_renamed_or_comes_back_is_counted_once(
    train: Trainer, content: Content
) -> None:
    train(content)
    train(changed(content, "interventions/clip", None))
    renamed = deepcopy(content)
    renamed["interventions"]["gentle"] = renamed["interventions"].pop("clip")
    train(renamed)
    assert (train.report()["family"], train.report()["plan"]["withdrawn"]) == (2, [])


def test_arms_of_another_baseline_are_named_and_do_not_count(
    train: Trainer, content: Content
) -> None:
    train(changed(content, "baseline/train/tokens", 1024))
    train(changed(content, "interventions/clip", None))
    report = train.report()
    assert report["family"] == 1
    assert {(arm["arm"], arm["in_family"]) for arm in report["plan"]["withdrawn"]} == {
        ("no-dropout", False),
        ("clip", False),
    }
    assert "They do not count in the family: their baseline was another one." in train.table()


def test_a_baseline_without_a_result_is_named_and_makes_no_arm_unstable(
    train: Trainer, content: Content
) -> None:
    def outcome(arm: str, seed: int) -> dict[str, Any]:
        diverged = {"state": "diverged", "test_loss": None, "chunk_losses": [], "cause": "nan"}
        if arm == "baseline":
            return {"fail": True}
        return {**diverged, "diverged_at": 2} if (arm, seed) == ("clip", 1) else {"steps": 2}

    train(content, outcome)
    table = train.table()
    assert "baseline has no result (2 failed of 2 runs): there is nothing to compare" in table
    assert "undecided (no baseline), 1 diverged" in table
    assert "unstable" not in table


def test_an_arm_whose_runs_all_failed_stays_in_the_family(train: Trainer, content: Content) -> None:
    train(content, lambda arm, seed: {"fail": True} if arm == "clip" else usual(arm, seed))
    assert train.report()["family"] == 2
    train(changed(content, "interventions/clip", None))
    assert train.report()["family"] == 2
    assert "no longer in the study: clip (2 failed)" in train.table()
