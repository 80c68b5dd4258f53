"""`--override KEY=VALUE`: set a baseline field for one command."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from sweep.errors import StudyError, did_you_mean
from sweep.study.file import Baseline
from sweep.terminal.printable import shown
from trainer.recipe_forms import RECIPE_FIELDS, field_value, with_fields

Overrides = Mapping[str, Any]
"""Values by `section.field`."""


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """Parse arguments `section.field=value`; a value that is not TOML is text.

    Raises StudyError for a key that is not a baseline field, and for one given twice.
    """
    overrides: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = key.strip()
        if not equals:
            raise StudyError(
                f"--override {shown(word)} sets nothing; write KEY=VALUE, "
                "such as train.tokens=100_000"
            )
        if key not in RECIPE_FIELDS:
            raise StudyError(
                f"--override {shown(key)}: not a baseline field{did_you_mean(key, RECIPE_FIELDS)}"
            )
        if key in overrides:
            raise StudyError(f"--override {key}: given twice; give it once")
        overrides[key] = _value(value.strip())
    return overrides


def apply_overrides(content: dict[str, Any], overrides: Overrides) -> dict[str, Any]:
    """A copy of a study's content with the baseline fields set.

    Raises StudyError for an override that changes nothing.
    """
    if not overrides:
        return content
    before = content.get("baseline", {})
    baseline = with_fields(before if isinstance(before, dict) else {}, overrides)
    _check_each_changes_something(before, baseline, overrides)
    return {**content, "baseline": baseline}


def _check_each_changes_something(before: Any, after: Any, overrides: Overrides) -> None:  # noqa: ANN401  (any TOML value)
    try:
        old, new = Baseline.model_validate(before), Baseline.model_validate(after)
    except ValidationError:
        return  # parse_study refuses the study with the reason
    for key in overrides:
        value = field_value(old, key)
        if value == field_value(new, key):
            raise StudyError(
                f"--override {key} changes nothing: the baseline has {shown(value)} already"
            )


def shown_overrides(overrides: Overrides) -> str:
    """`train.tokens = 4096, data.tokenizer = 'gpt2'`."""
    return ", ".join(f"{key} = {shown(value)}" for key, value in overrides.items())


def _value(text: str) -> Any:  # noqa: ANN401  (any TOML value)
    """A TOML value; anything else is text, so that words need no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # TOMLDecodeError is a ValueError
        return text
