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
from tests.sweep.stores import ORIGIN, Trainer, usual

Content = dict[str, Any]


def changed(content: Content, path: str, value: Any) -> Content:  # noqa: ANN401  (JSON)
    """A study with one key, such as `design/seeds`, set to a value; None removes the key."""
    new = deepcopy(content)
    *parents, last = path.split("/")
    place = new
    for parent in parents:
        place = place.setdefault(parent, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return new


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


def test_an_arm_whose_runs_all_failed_stays_in_the_family(train: Trainer, content: Content) -> None:
    train(content, lambda arm, seed: {"fail": True} if arm == "clip" else usual(arm, seed))
    assert train.report()["family"] == 2
    train(changed(content, "interventions/clip", None))
    assert train.report()["family"] == 2
    assert "no longer in the study: clip (2 failed)" in train.table()


def with_origin(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    return {"provenance": {**ORIGIN, **fields}}


CONFOUNDERS: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {
    "another kind of device": (
        with_origin(device_type="cuda", device="H100"),
        ("device type", "cuda", "cpu"),
    ),
    "another device": (with_origin(device="Xeon"), ("device", "Xeon", "AMD EPYC")),
    "another package version": (
        with_origin(versions={"python": "3.11.2", "torch": "2.12.0"}),
        ("torch", "2.12.0", "2.13.0"),
    ),
    "another commit": (with_origin(commit="b" * 40), ("code", "b" * 12, "a" * 12)),
    "changed files": (with_origin(dirty=True), ("code", "a" * 12 + " with changes", "a" * 12)),
    "another precision": (with_origin(precision="bfloat16"), ("precision", "bfloat16", "float32")),
    "fewer tokens": ({"tokens": 1024}, ("tokens", "1,024", "2,048")),
}


@pytest.mark.parametrize(("outcome", "found"), CONFOUNDERS.values(), ids=CONFOUNDERS)
def test_differences_from_the_baseline_that_are_no_intervention_are_listed(
    train: Trainer, content: Content, outcome: dict[str, Any], found: tuple[str, str, str]
) -> None:
    train(content, lambda arm, seed: outcome if (arm, seed) == ("clip", 2) else usual(arm, seed))
    what, value, baseline = found
    expected = {"arm": "clip", "what": what, "value": value, "baseline": baseline, "runs": 1}
    assert train.report()["confounders"] == [expected]
    line = f"Confounded by {what}, {value} where the baseline has {baseline}: clip (1 run).\n"
    assert line in train.table()


def test_runs_are_compared_with_the_baseline_run_of_the_same_seed_only(
    train: Trainer, content: Content
) -> None:
    train(content, lambda _, seed: with_origin(device=f"machine {seed}"))
    assert train.report()["confounders"] == []


def test_a_run_without_a_partner_is_compared_with_all_runs_of_the_baseline(
    train: Trainer, content: Content
) -> None:
    def outcome(arm: str, seed: int) -> dict[str, Any]:
        if arm == "baseline":
            return {} if seed == 3 else with_origin(device=f"machine {seed}")
        return with_origin(device="machine 9" if arm == "clip" else f"machine {min(seed, 2)}")

    train(changed(content, "design/seeds", 3), outcome)
    alone = [each for each in train.report()["confounders"] if each["arm"] == "clip"]
    assert {(each["baseline"], each["runs"]) for each in alone} == {
        ("machine 1", 1),
        ("machine 2", 1),
        ("machine 1 or machine 2", 1),
    }
    assert len(train.report()["confounders"]) == len(alone)


def test_a_setting_of_an_intervention_is_no_confounder(train: Trainer, content: Content) -> None:
    with_arms = changed(
        content,
        "interventions/low",
        {"because": "Faster.", "set": {"train.precision": "bfloat16"}},
    )
    with_arms = changed(
        with_arms, "interventions/long", {"because": "More.", "set": {"train.tokens": 4100}}
    )
    asked = {"low": with_origin(precision="bfloat16"), "long": {"tokens": 4096}}
    train(with_arms, lambda arm, seed: asked.get(arm, usual(arm, seed)))
    assert train.report()["confounders"] == []


def test_a_report_counts_runs_that_are_reproducible_to_the_last_bit_and_names_their_devices(
    train: Trainer, content: Content
) -> None:
    def outcome(arm: str, seed: int) -> dict[str, Any]:
        if arm == "no-dropout":
            return with_origin(device="H100", device_type="cuda", deterministic=seed == 1)
        if arm == "clip" and seed == 1:
            return {"state": "diverged", "test_loss": None, "chunk_losses": [], "diverged_at": 2}
        return usual(arm, seed)

    train(content, outcome)
    assert train.report()["reproducible"] == {
        "exactly": 5,
        "on": ("AMD EPYC with torch 2.13.0", "H100 with torch 2.13.0"),
        "roughly": 1,
    }
    assert (
        "Reproducible to the last bit on AMD EPYC with torch 2.13.0 or H100 with torch 2.13.0: "
        "5 runs.\n"
        "Reproducible but for rounding: 1 run, trained on a GPU without jobs.deterministic.\n"
    ) in train.table()


def test_runs_without_provenance_are_not_called_reproducible(
    train: Trainer, content: Content
) -> None:
    train(content, lambda _arm, _seed: {"provenance": {}})
    assert train.report()["reproducible"] == {"exactly": 0, "on": (), "roughly": 0}
    assert "eproducible" not in train.table()


def test_control_characters_in_a_device_name_are_not_printed(
    train: Trainer, content: Content
) -> None:
    train(content, lambda arm, _: with_origin(device="\x1b[31m\u202e" if arm == "clip" else "x"))
    assert "\x1b" not in train.table()
    assert "\u202e" not in train.table()


def test_a_verdict_that_rests_on_few_chunks_of_the_test_text_is_marked(
    train: Trainer, content: Content
) -> None:
    def outcome(arm: str, seed: int) -> dict[str, Any]:
        gains = {
            "baseline": [0.0] * 64,
            "clip": [0.09 + chunk % 3 / 100 for chunk in range(64)],
            "no-dropout": [6.4 * (chunk == 5) for chunk in range(64)],
        }[arm]
        by_chunk = [
            2.5 + chunk / 8 + seed / 100 - gain * (1 + seed / 99)
            for chunk, gain in enumerate(gains)
        ]
        return usual(arm, seed) | {"chunk_losses": by_chunk, "test_loss": sum(by_chunk) / 64}

    train(changed(content, "design/seeds", 3), outcome)
    baseline, lucky, steady = train.report()["arms"]
    assert (lucky["verdict"], steady["verdict"]) == ("better", "better")
    assert (baseline["rests_on_few_chunks"], steady["rests_on_few_chunks"]) == (None, False)
    assert (lucky["rests_on_few_chunks"], lucky["carried_by"], lucky["n_chunks"]) == (True, 1, 64)
    assert lucky["se_chunks"] == pytest.approx(abs(lucky["effect"]))  # one chunk has all of it
    table = train.table()
    assert table.count(" †") == 1
    assert "† rests on few chunks of the test text" in table
    errors = f"{steady['se_chunks']:.4f} (clip) to {lucky['se_chunks']:.4f} (no-dropout)"
    assert f"Test text: over 64 chunks of it an effect has a standard error of {errors}.\n" in table
