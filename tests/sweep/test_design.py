"""Arms, recipes and the hash of a plan are made from a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.design.arms import DESIGNS, make_plan
from sweep.design.plan import Plan
from sweep.errors import StudyError
from sweep.study.file import load_study, parse_study

FIELDS = {
    "model.dropout": 0.25,
    "model.qkv_bias": True,
    "optimizer.clip_norm": 1.0,
    "optimizer.weight_decay": 0.3,
    "schedule.warmup": 0.25,
    "data.order": "sequential",
}


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[[str], Plan]:
    """The plan of a study file with the given text."""

    def make(text: str) -> Plan:
        file = tmp_path / "s.toml"
        file.write_text(text)
        return make_plan(load_study(file), str(file))

    return make


def planned(content: dict[str, Any]) -> Plan:
    return make_plan(parse_study(content, "s.toml"), "s.toml")


@pytest.mark.parametrize("kind", DESIGNS)
def test_every_design_lists_the_baseline_first_and_only_known_interventions(
    content: dict[str, Any], kind: str
) -> None:
    content["design"]["kind"] = kind
    content["interventions"]["bias"] = {"because": "x", "set": {"model.qkv_bias": True}}
    if kind == "explicit":
        content["design"]["arms"] = [["clip"], ["clip", "no-dropout"]]
    if kind == "fractional":
        content["design"]["resolution"] = 3
    baseline, *arms = planned(content).arms
    assert (baseline.name, baseline.interventions) == ("baseline", ())
    assert {name for arm in arms for name in arm.interventions} <= set(content["interventions"])


def test_an_unknown_design_is_refused_with_the_known_ones(content: dict[str, Any]) -> None:
    content["design"]["kind"] = "one-at-time"
    message = (
        "s.toml: 'design.kind' = 'one-at-time' must be 'one-at-a-time' or 'leave-one-out' or 'pairs' "
        "or 'factorial' or 'fractional' or 'explicit'; did you mean 'one-at-a-time'?"
    )
    with pytest.raises(StudyError) as refused:
        planned(content)
    assert str(refused.value) == message


def test_the_baseline_comes_first_then_interventions_then_stacks(content: dict[str, Any]) -> None:
    content["stacks"] = {"both": {"combine": ["clip", "no-dropout"]}}
    arms = planned(content).arms
    assert [arm.name for arm in arms] == ["baseline", "no-dropout", "clip", "both"]
    assert [arm.interventions for arm in arms] == [
        (),
        ("no-dropout",),
        ("clip",),
        ("clip", "no-dropout"),
    ]


def test_every_arm_has_the_same_seeds(content: dict[str, Any]) -> None:
    content["design"]["seeds"] = [11, 3, 12]
    plan = planned(content)
    assert plan.seeds == [11, 3, 12]
    for arm in plan.arms:
        assert list(arm.specs) == [11, 3, 12]
        for seed, spec in arm.specs.items():
            assert spec.seeds == plan.arm("baseline").specs[seed].seeds


def test_an_arm_differs_from_the_baseline_by_its_intervention_alone(plan: Plan) -> None:
    baseline = plan.arm("baseline").specs[2].recipe
    clip = plan.arm("clip").specs[2].recipe
    expected = baseline.model_dump()
    expected["optimizer"]["clip_norm"] = 0.5
    assert clip.model_dump() == expected


def test_a_number_of_seeds_counts_from_one(plan: Plan) -> None:
    assert plan.seeds == [1, 2]


def test_a_seed_sets_all_three_streams(plan: Plan) -> None:
    assert plan.arm("clip").specs[2].seeds.model_dump() == {"init": 2, "order": 2, "dropout": 2}


@given(st.sets(st.sampled_from(["init", "order", "dropout"]), min_size=1), st.integers(0, 99))
def test_only_the_streams_that_vary_have_the_seed_and_the_others_keep_theirs(
    vary: set[str], hold: int
) -> None:
    study = parse_study(
        {
            "name": "x",
            "interventions": {"a": {"because": "b", "set": {"model.dropout": 0.0}}},
            "design": {"seeds": [7], "vary": sorted(vary), "hold": hold},
            "analysis": {"smallest_effect": 1},
        },
        "s.toml",
    )
    seeds = make_plan(study, "s.toml").arm("a").specs[7].seeds.model_dump()
    assert seeds == {name: 7 if name in vary else hold for name in ("init", "order", "dropout")}


def test_streams_that_do_not_vary_have_seed_zero_by_default(
    content: dict[str, Any],
) -> None:
    content["design"]["vary"] = ["order"]
    recipe = planned(content).arm("baseline").specs[2].recipe
    assert recipe.seeds.model_dump() == {"init": 0, "order": 2, "dropout": 0}


def test_comments_order_spelling_and_reasons_do_not_change_the_plan(
    study_text: str, plan_of: Callable[[str], Plan]
) -> None:
    before = plan_of(study_text)
    sections = study_text.split("\n\n")
    sections[1:] = reversed(sections[1:])
    reordered = "# a comment\n" + "\n\n".join(sections)
    for text in (
        reordered,
        study_text.replace("3e-3", "0.003"),
        study_text.replace("0.5 }", "5e-1 }").replace("= 0.0 }", "= 0 }"),
        study_text.replace("layers = 1", "layers = 1.0").replace("seeds = 2", "seeds = 2.0"),
        study_text.replace("seeds = 2", "seeds = [1, 2]"),
        study_text.replace("Spikes.", "Another reason."),
        study_text.replace("Does anything help?", "?"),
        study_text + "[jobs]\nretries = 7\n",
        study_text.replace("[analysis]", "[analysis]\nalpha = 0.05"),
        study_text.replace("[interventions.clip]", '[interventions."clip"]'),
        study_text.replace('{ "model.dropout" = 0.0 }', "{ model.dropout = 0.0 }"),
        study_text.replace("width = 16", "width = 16\ndropout = 0.1"),
        study_text.replace("seeds = 2", 'seeds = 2\nvary = ["order", "dropout", "init", "init"]'),
    ):
        assert text != study_text
        assert plan_of(text).hash == before.hash, text


def test_arms_seeds_and_rules_of_the_verdicts_change_the_plan(
    study_text: str, plan_of: Callable[[str], Plan]
) -> None:
    hashes = {
        plan_of(text).hash
        for text in (
            study_text,
            study_text.replace("[analysis]", "[analysis]\nalpha = 0.01"),
            study_text.replace("[analysis]", '[analysis]\ncorrection = "bh"'),
            study_text.replace("smallest_effect = 0.01", "smallest_effect = 0.02"),
            study_text.replace("seeds = 2", "seeds = 3"),
            study_text.replace("seeds = 2", 'seeds = 2\nvary = ["init"]'),
            study_text.replace("seeds = 2", "seeds = 2\nhold = 1"),
            study_text.replace("learning_rate = 3e-3", "learning_rate = 4e-3"),
            study_text.replace('"optimizer.clip_norm" = 0.5', '"optimizer.clip_norm" = 0.6'),
            study_text.replace("[interventions.clip]", "[interventions.clipped]"),
            study_text.replace('name = "tiny"', 'name = "other"'),
            study_text + '[stacks.both]\ncombine = ["clip", "no-dropout"]\n',
        )
    }
    assert len(hashes) == 12


@given(st.permutations(sorted(FIELDS)), st.integers(2, 6))
def test_a_stack_is_the_union_of_its_interventions_in_any_order(
    order: list[str], size: int
) -> None:
    members = [field.partition(".")[2] for field in order[:size]]
    content = {
        "name": "x",
        "interventions": {
            field.partition(".")[2]: {"because": "b", "set": {field: FIELDS[field]}}
            for field in order
        },
        "stacks": {"stack": {"combine": members}},
        "design": {"seeds": 1},
        "analysis": {"smallest_effect": 1},
    }
    plan = planned(content)
    stack, expected = plan.arm("stack"), plan.arm("baseline").spec.recipe.model_dump()
    for field in order[:size]:
        section, _, name = field.partition(".")
        expected[section][name] = FIELDS[field]
    assert stack.spec.recipe.model_dump() == expected
    assert stack.changes == {field: FIELDS[field] for field in order[:size]}


def test_alternatives_that_agree_on_a_field_can_be_stacked(content: dict[str, Any]) -> None:
    content["interventions"]["clip"]["set"]["model.dropout"] = 0
    content["stacks"] = {"both": {"combine": ["clip", "no-dropout"]}}
    with pytest.raises(StudyError, match="the arms 'clip' and 'both' have the same recipe"):
        planned(content)
    content["interventions"]["no-dropout"]["set"]["model.qkv_bias"] = True
    assert planned(content).arm("both").spec.recipe.model.dropout == 0


def test_two_arms_with_one_recipe_are_refused(content: dict[str, Any]) -> None:
    content["interventions"]["cut"] = {"because": "Again.", "set": {"optimizer.clip_norm": 5e-1}}
    with pytest.raises(StudyError) as error:
        planned(content)
    assert str(error.value) == (
        "s.toml: the arms 'clip' and 'cut' have the same recipe; remove one"
    )


def test_an_unknown_arm_is_a_key_error(plan: Plan) -> None:
    with pytest.raises(KeyError):
        plan.arm("clop")
