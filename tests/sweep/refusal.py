"""What a study file is refused with."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.design.arms import make_plan
from sweep.errors import StudyError
from sweep.study.file import load_study


def refusal(path: Path) -> str:
    """What a study file is refused with, the file's name taken off."""
    with pytest.raises(StudyError) as error:
        make_plan(load_study(path), str(path))
    sentence = str(error.value)
    assert sentence.startswith(str(path))
    return sentence.removeprefix(str(path)).removeprefix(": ")
