"""`sweep plan` of a design: its matrix, generators and aliases, and other designs beside it."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.design.arms import DESIGNS, make_plan
from sweep.design.plan import Plan
from sweep.forecast.designs import DesignOption, compare_designs, matrix_of
from sweep.forecast.outline import Outline
from sweep.forecast.pace import UNKNOWN_PACE, given_pace
from sweep.forecast.price import Price
from sweep.reports.design_text import comparison_parts, design_json, design_parts
from sweep.reports.document import Document
from sweep.reports.formats import FORMATS
from sweep.study.file import parse_study
from tests.sweep.test_designs import study_of


def plan_of(content: dict[str, Any]) -> Plan:
    return make_plan(parse_study(content, "s.toml"), "s.toml")


def options_of(plan: Plan, sd: float | None = None) -> list[DesignOption]:
    outline = Outline(plan, None, None, sd)
    pace = given_pace(1000, outline.costs["baseline"])
    assert pace is not None
    return compare_designs(outline, Price(pace=pace, per_hour=None))


def words_of(plan: Plan) -> str:
    matrix = matrix_of(plan)
    assert matrix is not None
    outline = Outline(plan, None, None)
    return written([*design_parts(matrix, outline), *comparison_parts(options_of(plan, 0.01))])


def written(parts: list[Any]) -> str:
    text = FORMATS["table"].write(Document(content={}, records=[], parts=parts))
    return " ".join(text.split())


def test_a_fraction_is_printed_with_its_generators_words_and_aliases() -> None:
    said = words_of(plan_of(study_of(6, "fractional", resolution=4)))
    assert "A + clip optimizer.clip_norm = 0.5" in said
    assert "A 2^(6-2) fraction of resolution 4, 16 of 64 combinations" in said
    assert "generators E = ABC, F = ABD" in said
    assert "Defining relation: I = ABCE, ABDF, CDEF." in said
    assert "every main effect, clear of interactions of two, and the sums AB + CE + DF" in said
    assert "baseline - - - - - - 0/2" in said


def test_a_fraction_of_resolution_five_tells_every_interaction_of_two() -> None:
    said = words_of(plan_of(study_of(5, "fractional", resolution=5)))
    assert "generators E = -ABCD" in said
    assert "Estimated: every main effect and every interaction of two, clear of each other." in said


def test_listed_arms_are_told_what_they_can_estimate() -> None:
    arms = [["clip", "no-dropout"], ["clip", "no-dropout", "decay"]]
    said = words_of(plan_of(study_of(3, "explicit", arms=arms)))
    assert "Estimated by least squares: clip + no-dropout, decay." in said


def test_the_json_of_a_design_has_its_matrix() -> None:
    matrix = matrix_of(plan_of(study_of(4, "fractional", resolution=4)))
    assert matrix is not None
    found = design_json(matrix)
    assert found["generators"] == ["D = ABC"]
    assert found["aliases"] == ["AB + CD", "AC + BD", "AD + BC"]
    assert found["matrix"]["baseline"] == [0, 0, 0, 0]
    assert found["matrix"]["clip+decay"] == [1, 0, 1, 0]


def test_designs_are_compared_by_runs_time_and_smallest_effect() -> None:
    options = options_of(plan_of(study_of(8, "one-at-a-time", seeds=5)), sd=0.01)
    kinds = [(each.kind, each.resolution, each.arms, each.runs) for each in options]
    assert kinds == [
        ("one-at-a-time", None, 9, 45),
        ("leave-one-out", None, 10, 50),
        ("pairs", None, 37, 185),
        ("fractional", 4, 16, 80),
        ("fractional", 4, 32, 160),
        ("fractional", 5, 64, 320),
        ("factorial", None, 256, 1280),
    ]
    assert [each.chosen for each in options] == [True, *[False] * 6]
    alone, fraction = options[0], options[3]
    assert alone.effect is not None
    assert fraction.effect == pytest.approx(alone.effect * (2 / 16) ** 0.5)
    assert fraction.hours
    assert alone.hours
    assert fraction.hours / alone.hours == pytest.approx(80 / 45)


def test_the_smallest_effect_is_left_out_while_the_noise_is_unknown() -> None:
    options = options_of(plan_of(study_of(3, "factorial")))
    assert {each.effect for each in options} == {None}
    assert [each.kind for each in options if each.chosen] == ["factorial"]


def test_the_time_is_left_out_while_it_is_unknown_as_before_the_first_run_of_a_script() -> None:
    outline = Outline(plan_of(study_of(3, "one-at-a-time")), None, None)
    options = compare_designs(outline, Price(pace=UNKNOWN_PACE, per_hour=None))
    assert {each.hours for each in options} == {None}
    assert "design arms runs effects" in written(comparison_parts(options))


@pytest.mark.parametrize("kind", DESIGNS)
def test_every_design_is_marked_among_those_that_are_compared(kind: str) -> None:
    asked: dict[str, Any] = {"arms": [["clip"]]} if kind == "explicit" else {}
    options = options_of(plan_of(study_of(4, kind, **asked)))
    assert [each.kind for each in options if each.chosen] == [kind][kind == "explicit" :]


def test_one_intervention_has_no_designs_to_compare() -> None:
    assert options_of(plan_of(study_of(1, "one-at-a-time"))) == []
