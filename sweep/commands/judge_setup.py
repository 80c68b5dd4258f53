"""The settings of `sweep judge`: those of the study file, and those that its options change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sweep.errors import StudyError, did_you_mean
from sweep.study.evaluation_section import InstructionEvaluation, JudgeSettings
from sweep.study.file import Study
from sweep.study.judge_names import JudgeName
from sweep.study.overrides import toml_or_text
from sweep.terminal.printable import shown
from trainer.rundir.directory import first_mistake

SECTION = "evaluation.instructions"
CHANGEABLE = (
    *(name for name in InstructionEvaluation.model_fields if name != "judge"),
    *(f"judge.{name}" for name in JudgeSettings.model_fields),
)
"""The fields that `--set` can set."""


@dataclass(frozen=True)
class JudgeChoice:
    """The options of `sweep judge` that change the settings of the study."""

    data: Path | None = None
    judge: JudgeName | None = None
    changes: Sequence[str] = ()
    """`KEY=VALUE`: fields of [evaluation.instructions]; `judge.KEY` for those of its judge."""


def chosen_setup(
    study: Study, file: Path, choice: JudgeChoice
) -> tuple[InstructionEvaluation, Path]:
    """The settings, and the path of the data. Raises StudyError for a wrong or missing one."""
    planned = study.evaluation.instructions
    fields = planned.model_dump(exclude_unset=True) if planned else {}
    beside = file.parent
    if choice.data is not None:
        fields |= {"data": str(choice.data)}
        beside = Path()
    if "data" not in fields:
        raise StudyError(
            f"{file} has no [{SECTION}], so the instruction data is unknown; add --data FILE.json"
        )
    for word in choice.changes:
        _change(fields, word)
    if choice.judge is not None:
        fields |= {"judge": {**fields.get("judge", {}), "kind": choice.judge}}
    try:
        setup = InstructionEvaluation.model_validate(fields)
    except ValidationError as error:
        raise StudyError(first_mistake(Path(f"[{SECTION}]"), error)) from error
    return setup, beside / Path(setup.data).expanduser()


def _change(fields: dict[str, Any], word: str) -> None:
    """Set a field as `KEY=VALUE` says. Raises StudyError if there is no such field."""
    key, equals, text = (part.strip() for part in word.partition("="))
    if not equals or key not in CHANGEABLE:
        advice = did_you_mean(key, CHANGEABLE) if equals else ""
        raise StudyError(
            f"--set {shown(word)}: write KEY=VALUE with a field of [{SECTION}]{advice} "
            f"({', '.join(CHANGEABLE)})"
        )
    section, _, name = key.rpartition(".")
    target = fields.setdefault("judge", {}) if section else fields
    target[name] = toml_or_text(text)
