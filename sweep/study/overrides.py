"""`--override KEY=VALUE`: set a baseline field or a script's parameter for one command."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from sweep.study.file import Baseline, recipe_advice
from sweep.study.mistakes import InvalidStudyError, Mistake
from sweep.study.parameter_overrides import (
    idle_parameters,
    is_script,
    override_parameters,
    wrong_parameters,
)
from sweep.terminal.printable import shown
from trainer.recipe_forms import RECIPE_FIELDS, field_value, with_fields

Overrides = Mapping[str, Any]
"""Values by `section.field`."""


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """Parse arguments `section.field=value`; a value that is not TOML is text.

    Raises InvalidStudyError for words that set nothing, and for keys given twice.
    """
    overrides: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for word in words:
        key, _, value = word.partition("=")
        key = key.strip()
        if reason := _why_wrong(word, key, overrides):
            mistakes.append(Mistake((), f"--override {reason}"))
        else:
            overrides[key] = toml_or_text(value.strip())
    if mistakes:
        raise InvalidStudyError(mistakes)
    return overrides


def _why_wrong(word: str, key: str, known: Overrides) -> str | None:
    if "=" not in word:
        return f"{shown(word)} sets nothing; write KEY=VALUE, such as train.tokens=100_000"
    return f"{key}: given twice; give it once" if key in known else None


def override_words(overrides: Overrides) -> list[str]:
    """The words of a command line that `parse_overrides` reads as these."""
    words: list[str] = []
    for name, value in overrides.items():
        is_plain = isinstance(value, str) and toml_or_text(value) == value
        words += ["--override", f"{name}={value if is_plain else json.dumps(value)}"]
    return words


def wrong_overrides(content: Mapping[str, Any], overrides: Overrides) -> list[Mistake]:
    """Overrides of fields or parameters that a study does not have, or that have wrong values."""
    if is_script(content):
        return wrong_parameters(content, overrides)
    return [
        Mistake((), f"--override {shown(key)}: not a baseline field{recipe_advice(key)}")
        for key in overrides
        if key not in RECIPE_FIELDS
    ]


def apply_overrides(content: Mapping[str, Any], overrides: Overrides) -> Mapping[str, Any]:
    """A copy of a study's content with the baseline's fields or parameters set."""
    if not overrides:
        return content
    if is_script(content):
        return override_parameters(content, overrides)
    return {**content, "baseline": with_fields(_baseline(content), overrides)}


def idle_overrides(content: Mapping[str, Any], overrides: Overrides) -> list[Mistake]:
    """Overrides that change nothing; none if the baseline is not valid with them or without."""
    if is_script(content):
        return idle_parameters(content, overrides)
    before = _baseline(content)
    try:
        old = Baseline.model_validate(before)
        new = Baseline.model_validate(with_fields(before, overrides))
    except ValidationError:
        return []
    return [
        Mistake((), f"--override {key} changes nothing: the baseline has {shown(same)} already")
        for key in overrides
        if (same := field_value(old, key)) == field_value(new, key)
    ]


def name_override(mistake: Mistake, overrides: Overrides) -> Mistake:
    """A mistake of the baseline, told as one of the command line if an override made it."""
    if mistake.keys[:1] != ("baseline",):
        return mistake
    key = ".".join(mistake.keys[1:])
    if key in overrides:
        sentence = mistake.sentence.replace(f"'baseline.{key}'", f"--override {key}", 1)
        return Mistake((), sentence)
    involved = {name: value for name, value in overrides.items() if name.startswith(key)}
    if not involved:
        return mistake
    return replace(mistake, sentence=f"{mistake.sentence} (--override {shown_overrides(involved)})")


def _baseline(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found = content.get("baseline", {})
    return found if isinstance(found, dict) else {}


def shown_overrides(overrides: Overrides) -> str:
    """`train.tokens = 4096, data.tokenizer = 'gpt2'`."""
    return ", ".join(f"{key} = {shown(value)}" for key, value in overrides.items())


def toml_or_text(text: str) -> Any:  # noqa: ANN401  (any TOML value)
    """A TOML value; anything else is text, so that words need no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # TOMLDecodeError is a ValueError
        return text
