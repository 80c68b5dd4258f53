"""The runs of an arm, one for each seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sweep.study.file import Study
from sweep.trainers.base import RunSpec
from sweep.trainers.registry import trainer_of


def make_specs(
    study: Study, changes: Mapping[str, Any], seeds: Iterable[int]
) -> dict[int, RunSpec]:
    """The baseline with some fields set, by seed; its fields are checked once.

    Needs a seed. Raises InvalidStudyError as `sweep.trainers.base.Trainer.make_spec` does.
    """
    streams = {seed: study.design.streams(seed) for seed in seeds}
    spec = trainer_of(study).make_spec(study, changes, next(iter(streams.values())))
    return {seed: spec.with_seeds(each) for seed, each in streams.items()}
