"""The registry of trainers."""

from __future__ import annotations

from sweep.study.file import Study
from sweep.trainers.base import Trainer
from sweep.trainers.builtin import GptTrainer

BUILTIN = "gpt"
TRAINERS: dict[str, Trainer] = {BUILTIN: GptTrainer()}


def trainer_of(_study: Study) -> Trainer:
    """The trainer of a study."""
    return TRAINERS[BUILTIN]
