"""A verdict that another arm has changed is explained."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.metrics.metric import Direction
from tests.sweep.importer import Importer
from tests.sweep.stores import Trainer, usual

Content = dict[str, Any]


def close(arm: str, seed: int) -> dict[str, Any]:
    """`clip` is significant among two questions and not among more; the others show nothing."""
    wobble = {1: 0.0, 2: 0.0011, 3: -0.0009, 4: 0.0004}[seed]
    effect = {"baseline": 0.0, "clip": EFFECT}.get(arm, 0.0)
    noise = 0.0 if arm == "baseline" else wobble * (3 if arm == "clip" else len(arm) % 3 - 1)
    return {"test_loss": usual("baseline", seed)["test_loss"] + effect + noise}


EFFECT = -0.007


@pytest.fixture
def grown(train: Trainer, content: Content) -> Trainer:
    """A study of two arms, judged again with three more."""
    content["design"]["seeds"] = 4
    content["analysis"]["smallest_effect"] = 0.0001
    train(content, close)
    assert "family_growth" in train.report()
    assert train.report()["family_growth"] is None
    for number in range(3):
        content["interventions"][f"more-{'x' * number}"] = {
            "because": "More questions.",
            "set": {"model.init_std": 0.03 + number / 100},
        }
    train(content, close)
    return train


def test_the_report_says_which_verdicts_only_the_growth_of_the_family_has_changed(
    grown: Trainer,
) -> None:
    found = grown.report()["family_growth"]
    assert (found["before"], found["after"]) == (2, 5)
    assert found["changed"] == [{"arm": "clip", "before": "better", "after": "undecided"}]
    assert (
        "The family has grown from 2 to 5 questions. With the 2 and the same runs: "
        "clip is undecided and would be better.\n"
    ) in grown.table()


def test_a_change_of_the_baseline_is_no_growth(grown: Trainer, content: Content) -> None:
    content["baseline"]["model"]["dropout"] = 0.2
    grown(content, close)
    assert grown.report()["family_growth"] is None


def test_an_earlier_family_is_judged_in_the_direction_of_the_metric(importer: Importer) -> None:
    accuracies = {"baseline": (0.5, 0.52, 0.51), "a": (0.7, 0.73, 0.70), "b": (0.5, 0.53, 0.50)}
    importer(table(accuracies), columns={"loss": "accuracy"}, direction=Direction.MAXIMIZE)
    assert importer.arms()["a"]["verdict"] == "better"
    more = accuracies | {f"c{i}": (0.51, 0.52, 0.5) for i in range(3)}
    importer(table(more), columns={"loss": "accuracy"})
    assert importer.arms()["a"]["verdict"] == "better"
    assert importer.report()["family_growth"] is None


def table(values: dict[str, tuple[float, ...]]) -> str:
    rows = [f"{arm},{seed},{x}" for arm, xs in values.items() for seed, x in enumerate(xs)]
    return "\n".join(["arm,seed,accuracy", *rows]) + "\n"


def test_an_arm_that_is_added_after_a_look_may_change_what_the_look_decided(
    train: Trainer, content: Content
) -> None:
    """The family of a look has every question of the study, those asked later, too."""
    content["design"]["seeds"] = 4
    content["analysis"]["smallest_effect"] = 0.0001
    train(content, close)
    for number in range(3):
        content["interventions"][f"more-{'x' * number}"] = {
            "because": "More questions.",
            "set": {"model.init_std": 0.03 + number / 100},
        }
    content["design"]["seeds"] = 5
    train(content, later)
    found = train.report()["family_growth"]
    assert found["changed"] == [{"arm": "clip", "before": "better", "after": "undecided"}]
    rows = {arm["arm"]: (arm["basis"], arm["n_planned"]) for arm in train.report()["arms"]}
    assert (rows["clip"], rows["more-"]) == (("looks", 4), ("planned", 5))


def later(arm: str, seed: int) -> dict[str, Any]:
    return close(arm, 4) if seed == 5 else close(arm, seed)
