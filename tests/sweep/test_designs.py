"""Designs that combine interventions: their arms, their names, and the sentences that refuse them."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.design.arms import make_plan
from sweep.design.combinations import combined_name
from sweep.design.plan import Plan
from sweep.errors import StudyError
from sweep.study.file import parse_study

SETTINGS = {
    "clip": {"optimizer.clip_norm": 0.5},
    "no-dropout": {"model.dropout": 0.0},
    "decay": {"optimizer.weight_decay": 0.3},
    "bias": {"model.qkv_bias": True},
    "warm": {"schedule.warmup": 0.25},
    "order": {"data.order": "sequential"},
    "rms": {"model.norm": "rms"},
    "tied": {"model.tie_embeddings": True},
    "slow": {"optimizer.learning_rate": 1e-4},
    "beta": {"optimizer.beta2": 0.9},
    "wide": {"model.width": 96},
    "deep": {"model.layers": 3},
    "long": {"train.tokens": 10_000},
}


def study_of(names: int | list[str], kind: str, **design: Any) -> dict[str, Any]:  # noqa: ANN401
    chosen = list(SETTINGS)[:names] if isinstance(names, int) else names
    return {
        "name": "designed",
        "baseline": {"model": {"dropout": 0.1}},
        "interventions": {name: {"because": "x", "set": SETTINGS[name]} for name in chosen},
        "design": {"seeds": 2, "kind": kind, **design},
        "analysis": {"smallest_effect": 0.01},
    }


def planned(content: dict[str, Any]) -> Plan:
    return make_plan(parse_study(content, "s.toml"), "s.toml")


def refusal(content: dict[str, Any]) -> str:
    with pytest.raises(StudyError) as refused:
        planned(content)
    return str(refused.value)


def arms(content: dict[str, Any]) -> list[str]:
    return [arm.name for arm in planned(content).arms]


def test_a_factorial_has_every_combination_in_standard_order() -> None:
    assert arms(study_of(3, "factorial")) == [
        *("baseline", "clip", "no-dropout", "clip+no-dropout"),
        *("decay", "clip+decay", "no-dropout+decay", "clip+no-dropout+decay"),
    ]


def test_an_arm_of_a_combination_changes_the_fields_of_all_its_members() -> None:
    arm = planned(study_of(3, "factorial")).arm("clip+decay")
    assert arm.interventions == ("clip", "decay")
    assert arm.changes == {"optimizer.clip_norm": 0.5, "optimizer.weight_decay": 0.3}


def test_pairs_are_each_alone_and_every_two_together() -> None:
    found = arms(study_of(4, "pairs"))
    assert found[:5] == ["baseline", "clip", "no-dropout", "decay", "bias"]
    assert len(found) == 1 + 4 + 6
    assert found[-1] == "decay+bias"


def test_leave_one_out_has_all_together_and_all_but_each() -> None:
    plan = planned(study_of(3, "leave-one-out"))
    assert {arm.name: arm.interventions for arm in plan.arms} == {
        "baseline": (),
        "all": ("clip", "no-dropout", "decay"),
        "without-clip": ("no-dropout", "decay"),
        "without-no-dropout": ("clip", "decay"),
        "without-decay": ("clip", "no-dropout"),
    }


def test_explicit_arms_are_those_of_the_file_beside_the_baseline() -> None:
    content = study_of(3, "explicit", arms=[["clip"], ["decay", "clip"]])
    assert arms(content) == ["baseline", "clip", "decay+clip"]


@pytest.mark.parametrize(
    ("factors", "asked", "runs"),
    [
        (4, {"resolution": 4}, 8),
        (5, {"resolution": 5}, 16),
        (8, {"resolution": 4}, 16),
        (8, {"runs": 16}, 16),
        (7, {"runs": 8}, 8),
        (6, {}, 16),
        (3, {"resolution": 3}, 4),
        (12, {"resolution": 4}, 32),
        (8, {"resolution": 5}, 64),
    ],
)
def test_a_fraction_is_the_smallest_that_does_what_is_asked(
    factors: int, asked: dict[str, int], runs: int
) -> None:
    found = planned(study_of(factors, "fractional", **asked)).arms
    assert len(found) == runs
    assert found[0].name == "baseline"
    for name in list(SETTINGS)[:factors]:
        assert sum(name in arm.interventions for arm in found) == runs // 2


def test_alternatives_are_levels_of_one_factor_and_never_meet() -> None:
    content = study_of(["clip", "decay"], "factorial")
    content["interventions"]["strong"] = {"because": "x", "set": {"optimizer.weight_decay": 0.9}}
    plan = planned(content)
    assert len(plan.arms) == 2 * 3
    assert not any({"decay", "strong"} <= set(arm.interventions) for arm in plan.arms)
    assert plan.content()["design"] == {
        "kind": "factorial",
        "factors": {"clip": ["clip"], "weight_decay": ["decay", "strong"]},
    }


def test_one_change_at_a_time_leaves_the_plan_without_a_design() -> None:
    assert "design" not in planned(study_of(3, "one-at-a-time")).content()


def test_the_name_of_a_combination_depends_on_its_members_alone_and_is_short() -> None:
    assert combined_name(["clip", "no-dropout"]) == "clip+no-dropout"
    members = [f"an-intervention-{number}" for number in range(12)]
    name = combined_name(members)
    assert name.startswith("an-intervention-0+an-intervention-1+10-more+")
    assert len(name) <= 64
    assert name != combined_name([*members[:-1], "another"])
    assert len(combined_name(["a" * 64, "b" * 64])) <= 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            study_of(5, "fractional", runs=12),
            (
                "no fraction of 5 interventions has 12 runs; there are fractions of 8 runs "
                "(resolution 3) and 16 runs (resolution 5)"
            ),
        ),
        (
            study_of(4, "fractional", runs=16),
            (
                'no fraction of 4 interventions has 16 runs (all 16 combinations are kind = "factorial"); '
                "there are fractions of 8 runs (resolution 4)"
            ),
        ),
        (
            study_of(4, "fractional", resolution=5),
            (
                'no fraction of 4 interventions has resolution 5; kind = "factorial" has 16 runs per '
                "seed; there are fractions of 8 runs (resolution 4)"
            ),
        ),
        (
            study_of(8, "fractional", runs=16, resolution=5),
            "16 runs of 8 interventions have resolution 4 at most, and 'design.resolution' is 5",
        ),
        (study_of(2, "fractional"), "is for 3 to 12 interventions, and the study has 2"),
        (study_of(13, "fractional"), 'the study has 13; use kind = "one-at-a-time"'),
        (study_of(10, "factorial"), "makes 1,024 arms of 10 interventions, and at most 512"),
        (study_of(1, "leave-one-out"), "needs two interventions or more"),
        (study_of(2, "explicit"), "needs the arms, each a list of interventions"),
        (study_of(2, "explicit", arms=[[]]), "number 1 is the baseline, which every study has"),
        (
            study_of(2, "explicit", arms=[["clip", "no-dropout"], ["no-dropout", "clip"]]),
            "number 2 lists 'no-dropout', 'clip' again; leave it out",
        ),
        (
            study_of(2, "explicit", arms=[["clipp"]]),
            (
                "'design.arms' number 1 combines 'clipp', which is not an intervention; "
                "did you mean 'clip'?"
            ),
        ),
        (study_of(2, "factorial", runs=16), 'runs is for kind = "fractional"'),
        (study_of(2, "pairs", arms=[["clip"]]), 'arms is for kind = "explicit"'),
    ],
)
def test_a_design_that_cannot_be_had_is_refused_with_those_that_can(
    content: dict[str, Any], message: str
) -> None:
    found = refusal(content)
    assert message in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("fractional", "a factor with 3 levels, and a fraction has factors with two; keep one"),
        ("leave-one-out", "'decay' and 'strong' are alternatives; keep one of them in the study"),
    ],
)
def test_alternatives_are_refused_where_factors_have_two_levels(kind: str, message: str) -> None:
    content = study_of(["clip", "decay", "bias"], kind)
    content["interventions"]["strong"] = {"because": "x", "set": {"optimizer.weight_decay": 0.9}}
    assert message in refusal(content)


def test_a_wrong_field_is_reported_once_however_many_arms_have_it() -> None:
    content = study_of(5, "fractional", resolution=5)
    content["interventions"]["clip"]["set"] = {"optimizer.clip": 0.5}
    found = refusal(content)
    assert found.count("optimizer.clip'") == 1
    assert found.startswith("s.toml: [interventions.clip] sets 'optimizer.clip'")


def test_stacks_are_refused_beside_a_design_that_combines_interventions_itself() -> None:
    content = study_of(3, "pairs") | {"stacks": {"both": {"combine": ["clip", "decay"]}}}
    assert "[stacks.both]: 'design.kind' = 'pairs' chooses the combinations itself" in refusal(
        content
    )


def test_an_intervention_with_the_name_of_a_combination_is_refused() -> None:
    content = study_of(2, "factorial")
    content["interventions"]["clip+no-dropout"] = {"because": "x", "set": {"model.qkv_bias": True}}
    assert "two arms would be called 'clip+no-dropout'" in refusal(content)
