"""Names that a study file may give, and the names that it has already."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from sweep.terminal.printable import shown

BASELINE = "baseline"
"""Name of the arm that all others are compared with."""

STREAMS = ("init", "order", "dropout")
"""Streams of random numbers: initial weights, order of the data, dropout."""
STREAM_COLUMNS = tuple(f"{name}_seed" for name in STREAMS)
MAX_NAME_LENGTH = 64
TRIALS = "-trials"
"""Ends the name of the study that has the trials of a search."""


def check_name(name: str) -> str:
    """Refuse names that are unsafe as a path, in a terminal or in HTML. Raises ValueError."""
    if not re.fullmatch(r"\w[\w.+-]*", name) or len(name) > MAX_NAME_LENGTH:
        raise ValueError(
            f"{shown(name)} is not a name; names are letters, digits, '-', '_', '.' and '+', "
            f"begin with a letter or digit, and have at most {MAX_NAME_LENGTH} characters"
        )
    return name


Name = Annotated[str, AfterValidator(check_name)]
Reason = Annotated[str, StringConstraints(min_length=1)]


def trials_name(study: str) -> str:
    """Name of the study that has the trials of a study's search."""
    return f"{study[: MAX_NAME_LENGTH - len(TRIALS)]}{TRIALS}"
