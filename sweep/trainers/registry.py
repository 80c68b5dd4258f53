"""The trainers that there are, by name."""

from __future__ import annotations

from sweep.trainers.base import Trainer
from sweep.trainers.builtin import GptTrainer

TRAINERS: dict[str, Trainer] = {"gpt": GptTrainer()}
