"""The registry of trainers."""

from __future__ import annotations

from sweep.study.file import Study
from sweep.trainers.base import Trainer
from sweep.trainers.gpt import GptTrainer
from sweep.trainers.instruction import InstructionRuns
from sweep.trainers.script import ScriptRuns

TRAINERS: dict[str, Trainer] = {
    "gpt": GptTrainer(),
    "script": ScriptRuns(),
    "instructions": InstructionRuns(),
}


def trainer_of(study: Study) -> Trainer:
    """The trainer of a study."""
    return TRAINERS["gpt" if study.trainer is None else "script"]
