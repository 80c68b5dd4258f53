"""The error message for an invalid study file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.design.arms import make_plan
from sweep.errors import StudyError
from sweep.study.file import load_study


def refusal(path: Path) -> str:
    """Return the error message for a study file, without the file's name."""
    with pytest.raises(StudyError) as error:
        make_plan(load_study(path), str(path))
    sentence = str(error.value)
    assert sentence.startswith(str(path))
    return sentence.removeprefix(str(path)).removeprefix(": ")
