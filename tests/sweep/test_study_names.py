"""Names of interventions and stacks: hostile ones are refused, unusual ones are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweep.design.arms import make_plan
from sweep.errors import StudyError
from sweep.study.file import parse_study
from tests.sweep.refusal import refusal

NOT_A_NAME = (
    "is not a name; names are letters, digits, '-', '_', '.' and '+', begin with a letter or "
    "digit, and have at most 64 characters"
)


HOSTILE = {
    "a slash": "../../etc/passwd",
    "a control character": "evil\nname\x1b[31m",
    "a bracket": "[key]",
    "markup": "<script>alert(1)</script>",
    "rich's markup": "[red]x[/red]",
    "a thousand characters": "a" * 1000,
    "a right-to-left mark": "\u202etlove",
    "nothing": "",
    "a leading dot": ".hidden",
    "a leading hyphen": "--runs",
}


STACKS = {
    "alternatives stacked together": (
        '"optimizer.clip_norm" = 0.5',
        '"model.dropout" = 0.2',
        '[stacks.both]\ncombine = ["no-dropout", "clip"]',
        (
            "[stacks.both] combines 'no-dropout' and 'clip', which both set 'model.dropout' "
            "(0.0 and 0.2); they are alternatives and cannot be stacked"
        ),
    ),
    "a stack named like an intervention": (
        "",
        "",
        '[stacks.clip]\ncombine = ["no-dropout", "clip"]',
        "[stacks.clip]: an arm of that name exists already; use another name",
    ),
    "a stack named baseline": (
        "",
        "",
        '[stacks.baseline]\ncombine = ["no-dropout", "clip"]',
        "[stacks.baseline]: an arm of that name exists already; use another name",
    ),
    "a stack of one": (
        "",
        "",
        '[stacks.one]\ncombine = ["clip"]',
        "'stacks.one.combine' = ['clip'] must be at least 2 long",
    ),
    "a stack of one intervention twice": (
        "",
        "",
        '[stacks.twice]\ncombine = ["clip", "clip"]',
        "[stacks.twice] combines an intervention with itself",
    ),
    "a stack of an unknown intervention": (
        "",
        "",
        '[stacks.both]\ncombine = ["clip", "clop"]',
        "[stacks.both] combines 'clop', which is not an intervention; did you mean 'clip'?",
    ),
    "two stacks of the same": (
        "",
        "",
        (
            '[stacks.a]\ncombine = ["clip", "no-dropout"]\n'
            '[stacks.b]\ncombine = ["no-dropout", "clip"]'
        ),
        "the arms 'a' and 'b' have the same recipe; remove one",
    ),
}


@pytest.mark.parametrize(("old", "new", "stack", "sentence"), STACKS.values(), ids=STACKS)
def test_an_invalid_stack_is_refused(
    file: Path, study_text: str, old: str, new: str, stack: str, sentence: str
) -> None:
    file.write_text(study_text.replace(old, new) + stack)
    assert refusal(file) == sentence


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("place", ["study", "intervention", "stack", "member", "field", "key"])
def test_a_hostile_name_is_refused_with_a_short_printable_sentence(
    content: dict[str, Any], place: str, name: str
) -> None:
    clip = content["interventions"]["clip"]
    if place == "study":
        content["name"] = name
    elif place == "intervention":
        content["interventions"][name] = clip
    elif place == "stack":
        content["stacks"] = {name: {"combine": ["clip", "no-dropout"]}}
    elif place == "member":
        content["stacks"] = {"both": {"combine": ["clip", name]}}
    elif place == "field":
        clip["set"] = {name: 1}
    else:
        clip[name] = 1
    with pytest.raises(StudyError) as error:
        make_plan(parse_study(content, "s.toml"), "s.toml")
    sentence = str(error.value)
    assert sentence.isprintable()
    assert len(sentence) < 400
    expected = {"field": "is not a recipe field", "key": "is not a field"}.get(place, NOT_A_NAME)
    assert expected in sentence


def test_an_intervention_may_have_the_name_of_a_field_or_a_type(content: dict[str, Any]) -> None:
    for name in ("set", "because", "list", "int", "name"):
        content["interventions"] = {name: {"set": {"x": 1}, "becuse": "It does."}}
        with pytest.raises(StudyError) as error:
            parse_study(content, "s.toml")
        assert str(error.value) == (
            f"s.toml: 'interventions.{name}.becuse' is not a field; "
            f"did you mean 'interventions.{name}.because'?"
        )
