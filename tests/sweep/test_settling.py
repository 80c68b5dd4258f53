"""The price of an undecided verdict is what the advised command trains."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.executors.ray import executor
from sweep.reports.settling_text import settling_lines
from sweep.study.file import parse_study
from sweep.verdicts import settling
from sweep.verdicts.analysis_plan import Questions
from sweep.verdicts.judge import make_report
from tests.sweep.stores import Trainer, usual

SECONDS = {"baseline": 10.0, "no-dropout": 20.0, "clip": 30.0}
Content = dict[str, Any]


def noisy(arm: str, seed: int) -> dict[str, Any]:
    """Only `clip` is undecided."""
    loss = usual(arm, seed)["test_loss"]
    if arm == "clip":
        loss += 0.03 + 0.03 * (-1) ** seed
    return {"test_loss": loss, "finished": 1000.0 + SECONDS[arm]}


@pytest.fixture(autouse=True)
def two_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "find_slots", lambda *_words: ["cpu 0", "cpu 1"])


def of_clip(train: Trainer) -> tuple[int, int, int, float]:
    (clip,) = [arm for arm in train.report()["arms"] if arm["arm"] == "clip"]
    assert clip["verdict"] == "undecided"
    assert clip["settling_slots"] == 2
    seeds, runs, seconds = (clip[f"settling_{name}"] for name in ("seeds", "runs", "seconds"))
    return clip["seeds_to_settle"], seeds, runs, seconds


def test_the_arm_and_the_baseline_train_the_further_seeds(train: Trainer, content: Content) -> None:
    content["design"]["seeds"] = 4
    train(content, noisy)
    further, seeds, runs, seconds = of_clip(train)
    assert (seeds, runs) == (4 + further, 2 * further)
    assert seconds == further * (SECONDS["baseline"] + SECONDS["clip"]) / 2
    assert (
        f"`sweep settle clip` trains them, 2 runs at a time: {further} more seeds have an 8"
    ) in train.table()
    assert f"% chance to settle clip ({runs:,} runs, about " in train.table()


def test_runs_that_are_done_already_are_not_counted_and_missing_ones_are(
    train: Trainer, content: Content
) -> None:
    content["design"]["seeds"] = 6
    content["name"] = "noise"
    train(content, lambda arm, seed: noisy(arm, seed) if arm == "baseline" else {})
    content["design"]["seeds"] = 4
    content["name"] = "tiny"
    train(
        content,
        lambda arm, seed: {"fail": True} if (arm, seed) == ("clip", 4) else noisy(arm, seed),
    )
    further, seeds, runs, _ = of_clip(train)
    done_by_noise = min(further, 2)
    assert (seeds, runs) == (4 + further, 2 * further - done_by_noise + 1)


def test_a_list_of_seeds_is_not_a_number_of_seeds(train: Trainer, content: Content) -> None:
    content["design"]["seeds"] = [3, 5, 8, 11]
    train(content, noisy)
    further, seeds, runs, _ = of_clip(train)
    assert (seeds, runs) == (4 + further, 2 * further)
    assert f"% chance to settle clip ({runs:,} runs, " in train.table()


def test_a_report_asks_no_ray_cluster_how_many_runs_it_has_room_for(
    train: Trainer, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    content["design"]["seeds"] = 4
    train(content, noisy)
    study = parse_study({**content, "jobs": {"executor": "ray"}}, "s.toml")
    monkeypatch.setattr(settling, "load_study", lambda _path: study)
    monkeypatch.setattr(executor, "count_places", lambda _settings: pytest.fail("it is asked"))
    (clip,) = [arm for arm in train.report()["arms"] if arm["arm"] == "clip"]
    assert clip["settling_slots"] == 1


def test_for_another_metric_the_report_says_that_the_command_is_for_the_primary_one(
    train: Trainer, content: Content
) -> None:
    content["design"]["seeds"] = 4
    train(
        content,
        lambda arm, seed: {**(found := noisy(arm, seed)), "bits_per_byte": found["test_loss"]},
    )
    report = make_report(train.store, train.store.study("tiny"), Questions(metric="bits_per_byte"))
    (line,) = settling_lines(report)
    assert line.startswith(
        "(+n) n more seeds of the arm and the baseline may settle it. Trained 2 runs at a time, "
    )
    assert line.endswith(
        "). `sweep settle` trains what the primary metric needs: for these, raise design.seeds in the "
        "study file."
    )
