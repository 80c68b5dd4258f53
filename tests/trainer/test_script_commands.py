"""Placeholders of a script's command, and the forms in which parameters are appended to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import CommandError
from trainer.scripts.placeholders import as_flags, as_overrides, fill, names

WRONG = [
    ("{lr", "nothing closes"),
    ("lr}", "nothing opens"),
    ("{}", "only a name"),
    ("{ }", "only a name"),
    ("{a[0]}", "only a name"),
    ("{a!r}", "only a name"),
    ("{lr:.3f}", "only a name"),
]


def test_braces_are_the_only_substitution() -> None:
    given = "--set=$HOME:`id`;%s ~/* {{lr}} {lr} {seed}{seed}"
    assert names(given) == ["lr", "seed"]
    wanted = "--set=$HOME:`id`;%s ~/* {lr} 0.0006 33"
    assert fill(given, {"lr": 6e-4, "seed": 3}) == wanted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (6e-4, "0.0006"),
        (1e6, "1000000.0"),
        (12, "12"),
        (True, "True"),
        ("a b'{x}\"", "a b'{x}\""),
        ([1, 2.5], "[1, 2.5]"),
        ("", ""),
    ],
)
def test_values_are_written_as_python_writes_them(value: object, text: str) -> None:
    assert fill("{v}", {"v": value}) == text  # type: ignore[dict-item]


@pytest.mark.parametrize(("template", "said"), WRONG)
def test_wrong_braces_are_named_with_the_remedy(template: str, said: str) -> None:
    with pytest.raises(CommandError) as raised:
        names(template)
    assert said in str(raised.value)
    assert repr(template) in str(raised.value)
    assert "{{" in str(raised.value) or "}}" in str(raised.value)


def test_an_unknown_placeholder_is_named_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match=r"\{lrr\}.*known are \{lr\}, \{seed\}"):
        fill("--lr={lrr}", {"lr": 1, "seed": 2})


@given(st.text())
def test_doubled_braces_give_any_text_back(text: str) -> None:
    assert fill(text.replace("{", "{{").replace("}", "}}"), {}) == text


def test_flags_leave_false_out_and_have_no_value_for_true() -> None:
    assert as_flags({"lr": 0.1, "nesterov": True, "amp": False, "name": "a b"}) == [
        "--lr=0.1",
        "--nesterov",
        "--name=a b",
    ]


def test_overrides_quote_what_hydra_would_split() -> None:
    given = {"lr": 1e-5, "amp": False, "opt.name": "adam", "s": "it's, a=b", "l": [1, "x y"]}
    assert as_overrides(given) == [  # type: ignore[arg-type]
        "lr=1e-05",
        "amp=false",
        "opt.name=adam",
        r"s='it\'s, a=b'",
        "l=[1,'x y']",
    ]
