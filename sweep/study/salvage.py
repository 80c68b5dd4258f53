"""Check a study file, and find the part of a wrong one that is right, to check what it says."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from sweep.study.explain import explain
from sweep.study.file import Study
from sweep.study.mistakes import Keys, Mistake
from sweep.study.tokenizer_paths import name_tokenizers

ROUNDS = 8
"""Repairs after which a study is given up: one repair may show the need of another."""
STAND_INS: Mapping[Keys, Any] = {
    ("name",): "study",
    ("design",): {"seeds": 1},
    ("design", "seeds"): 1,
    ("analysis",): {"smallest_effect": 1.0},
    ("analysis", "smallest_effect"): 1.0,
}
"""Values for missing fields on which no check of an arm depends."""


def check_study(content: Mapping[str, Any], source: str) -> tuple[Study | None, list[Mistake]]:
    """The study and its mistakes; `source` is the path of its file.

    If there are mistakes: the study without them, to check its arms; None if too little is left.
    Raises StudyError if a file that it names cannot be used as a tokenizer.
    """
    named, tokenizers = name_tokenizers(content, source)
    mistakes = _mistakes(named)
    if not mistakes:
        return Study.model_validate(named).read_from(source, tokenizers), []
    rest, wrong = deepcopy(named), mistakes
    for _ in range(ROUNDS):
        for mistake in wrong:
            _repair(rest, mistake.keys)
        _drop_stacks(rest, named)
        wrong = _mistakes(rest)
        if not wrong:
            return Study.model_validate(rest).read_from(source, tokenizers), mistakes
    return None, mistakes


def _mistakes(content: Mapping[str, Any]) -> list[Mistake]:
    try:
        Study.model_validate(content)
    except ValidationError as error:
        return explain(error, Study)
    return []


def _repair(content: dict[str, Any], keys: Keys) -> None:
    """Delete a wrong value; give a missing one a stand-in, or delete the arm that lacks it."""
    table, depth = content, 0
    while depth + 1 < len(keys) and isinstance(table.get(keys[depth]), dict):
        table, depth = table[keys[depth]], depth + 1
    if not keys or keys[depth] in table:
        table.pop(keys[depth] if keys else "", None)
    elif keys in STAND_INS:
        table[keys[-1]] = deepcopy(STAND_INS[keys])
    elif keys[-1] == "because":
        table["because"] = "unknown"
    elif len(keys) > 1 and isinstance(content.get(keys[0]), dict):
        content[keys[0]].pop(keys[1], None)


def _drop_stacks(rest: dict[str, Any], content: Mapping[str, Any]) -> None:
    """Delete the stacks of interventions that were deleted."""
    before, after = content.get("interventions"), rest.get("interventions", {})
    stacks = rest.get("stacks")
    if not (isinstance(before, dict) and isinstance(after, dict) and isinstance(stacks, dict)):
        return
    dropped = before.keys() - after.keys()
    for name, stack in list(stacks.items()):
        combined = stack.get("combine") if isinstance(stack, dict) else None
        if isinstance(combined, list) and any(each in dropped for each in map(str, combined)):
            del stacks[name]
