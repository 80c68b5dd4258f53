"""Reports on designs that combine interventions, and what can be stacked after them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from sweep.errors import StudyError
from sweep.reports.formats import FORMATS
from sweep.reports.verdict_text import report_document
from sweep.verdicts.judge import make_report
from sweep.verdicts.stackable import check_stackable
from tests.sweep.stores import ORIGIN, Trainer

EFFECTS = {"no-dropout": -0.2, "clip": 0.1, "bias": 0.0}


@pytest.fixture
def designed(content: dict[str, Any]) -> dict[str, Any]:
    """A study of three interventions with three seeds."""
    new = deepcopy(content)
    new["interventions"]["bias"] = {"because": "x", "set": {"model.qkv_bias": True}}
    new["design"]["seeds"] = 3
    return new


def outcome(arm: str, seed: int) -> dict[str, Any]:
    """Losses by the sum of the effects of an arm's interventions, and `no-dropout` × `clip`."""
    members = set(EFFECTS) if arm == "all" else set(arm.split("+"))
    if arm.startswith("without-"):
        members = set(EFFECTS) - {arm.removeprefix("without-")}
    loss = 3.0 + seed / 10 + sum(EFFECTS[each] for each in members & set(EFFECTS))
    loss += 0.04 * ({"no-dropout", "clip"} <= members)
    noise = (len(arm) * seed * 7 % 11 - 5) / 10_000
    return {"test_loss": loss + noise, "tokens": 2048, "provenance": ORIGIN}


def effects(train: Trainer) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in train.report()["design"]["effects"]}


def test_a_factorial_reports_main_effects_and_interactions(
    train: Trainer, designed: dict[str, Any]
) -> None:
    designed["design"]["kind"] = "factorial"
    train(designed, outcome)
    found = effects(train)
    assert found["no-dropout"]["effect"] == pytest.approx(-0.18, abs=0.001)
    assert found["clip"]["effect"] == pytest.approx(0.12, abs=0.001)
    assert found["no-dropout × clip"]["effect"] == pytest.approx(0.02, abs=0.001)
    assert [found[name]["verdict"] for name in ("no-dropout", "clip")] == ["better", "worse"]
    table = train.table()
    assert "Guards" not in table
    assert "average effect over the other factors" in table
    assert "They act on each other: no-dropout × clip." in table
    assert "no-dropout+clip+bias" in table


def test_a_factorial_says_that_it_answers_no_guard(
    train: Trainer, designed: dict[str, Any]
) -> None:
    designed["design"] |= {"kind": "factorial", "seeds": 2}
    designed["analysis"]["guards"] = {"tokens_per_second": "-5%"}
    train(designed, outcome)
    table = " ".join(train.table().split())
    assert "Guards ('tokens_per_second') are questions about single arms, and are not" in table


@pytest.mark.parametrize("form", FORMATS)
def test_the_effects_of_trained_runs_are_in_every_format(
    train: Trainer, designed: dict[str, Any], form: str
) -> None:
    designed["design"]["kind"] = "factorial"
    train(designed, outcome)
    text = FORMATS[form].write(report_document(make_report(train.store, train.store.study("tiny"))))
    assert "no-dropout × clip" in text or form in ("json", "latex")


def test_runs_that_are_still_missing_make_the_effects_provisional(
    train: Trainer, designed: dict[str, Any]
) -> None:
    designed["design"] |= {"kind": "factorial", "seeds": 4}
    train(designed, lambda arm, seed: outcome(arm, seed) if (arm, seed) != ("clip", 4) else {})
    found = effects(train)
    assert {each["basis"] for each in found.values()} == {"provisional"}
    assert {each["n"] for each in found.values()} == {3}
    assert "better (provisional)" in train.table()


def test_the_first_runs_of_a_factorial_show_effects_that_are_provisional(
    train: Trainer, designed: dict[str, Any]
) -> None:
    designed["design"]["kind"] = "factorial"
    train(designed, lambda arm, seed: outcome(arm, seed) if seed == 1 and "+" not in arm else {})
    assert {each["basis"] for each in effects(train).values()} == {"provisional"}
    assert "better (" not in train.table()


def test_a_factorial_without_a_run_yet_says_so(train: Trainer, designed: dict[str, Any]) -> None:
    designed["design"]["kind"] = "factorial"
    train(designed, lambda *_: {})
    assert "The runs so far tell no effect." in train.table()


def test_a_diverged_run_leaves_its_seed_and_is_counted(
    train: Trainer, designed: dict[str, Any]
) -> None:
    diverged = {"state": "diverged", "test_loss": None, "chunk_losses": [], "diverged_at": 2}
    gone = {**diverged, "cause": "loss is nan", "provenance": ORIGIN}
    designed["design"]["kind"] = "factorial"
    train(designed, lambda arm, seed: gone if (arm, seed) == ("clip", 2) else outcome(arm, seed))
    found = effects(train)
    assert {each["n"] for each in found.values()} == {3}
    assert found["no-dropout"]["effect"] == pytest.approx(-0.18, abs=0.01)
    assert "2 of 3, 1 diverged" in train.table()


def test_pairs_report_how_far_both_together_miss_the_sum(
    train: Trainer, designed: dict[str, Any]
) -> None:
    designed["design"]["kind"] = "pairs"
    train(designed, outcome)
    found = effects(train)
    assert list(found) == ["no-dropout × clip", "no-dropout × bias", "clip × bias"]
    assert found["no-dropout × clip"]["effect"] == pytest.approx(0.04, abs=0.002)
    assert "together less the sum of each alone" in train.table()


def test_leave_one_out_reports_each_intervention_beside_the_others(
    train: Trainer, designed: dict[str, Any]
) -> None:
    designed["design"]["kind"] = "leave-one-out"
    train(designed, outcome)
    found = effects(train)
    assert found["no-dropout"]["effect"] == pytest.approx(-0.16, abs=0.002)
    assert found["clip"]["effect"] == pytest.approx(0.14, abs=0.002)
    assert train.report()["design"]["column"] == "effect beside all others"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("factorial", 'kind = "leave-one-out" and new seeds = [4, 5, 6, 7, 8]'),
        ("leave-one-out", "its arm 'all' is the stack of all interventions already"),
    ],
)
def test_a_stack_after_a_design_without_single_effects_is_refused_with_what_to_do(
    train: Trainer, designed: dict[str, Any], kind: str, message: str
) -> None:
    designed["design"]["kind"] = kind
    train(designed, outcome)
    with pytest.raises(StudyError) as refused:
        check_stackable(make_report(train.store, train.store.study("tiny")))
    assert message in str(refused.value)


def test_one_change_at_a_time_has_no_design_in_its_report(
    train: Trainer, designed: dict[str, Any]
) -> None:
    train(designed, outcome)
    assert "design" not in train.report()
    check_stackable(make_report(train.store, train.store.study("tiny")))
