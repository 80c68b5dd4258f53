"""The error message for an invalid study file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sweep.errors import StudyError
from sweep.workspace import read_plan


def refusal(path: Path) -> str:
    """Return the error message for a study file, without the file's name and the line."""
    with pytest.raises(StudyError) as error:
        read_plan(path)
    sentence = str(error.value)
    assert sentence.startswith(str(path))
    return re.sub(r"^line \d+: (?!more)", "", sentence.removeprefix(str(path)).removeprefix(": "))
