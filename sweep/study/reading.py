"""Read a study file without checking it: its tables, and the lines of their keys."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.errors import StudyError, nearest
from sweep.study.lines import find_lines
from sweep.study.mistakes import Lines

MAX_FILE_BYTES = 4_000_000
"""Largest study file; thousands of arms fit."""
STUDIES = Path("studies")
"""Where study files usually are."""
MAX_FILES = 1000
"""Files among which one with a similar name is looked for."""
MAX_DOTS_PER_LINE = 500
"""Memory and time of tomllib grow with the square of the parts of a key."""


@dataclass(frozen=True)
class StudyText:
    """The text of a study file, which is valid TOML."""

    text: str
    content: dict[str, Any]

    def lines(self) -> Lines:
        """The line of each key; for error messages only, since it takes longer than reading."""
        return find_lines(self.text)


def read_study_text(path: Path) -> StudyText:
    """Read a study file. Raises StudyError if it is not TOML."""
    text = _read(path)
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MAX_DOTS_PER_LINE:
            raise StudyError(
                f"{path}: line {number} has more than {MAX_DOTS_PER_LINE} dots; break it in two"
            )
    try:
        return StudyText(text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise StudyError(f"{path}: not valid TOML: nested too deeply") from error
    except ValueError as error:  # more than sys.get_int_max_str_digits()
        raise StudyError(f"{path}: not valid TOML: a number of thousands of digits") from error


def file_near(path: Path) -> str:
    """Advice to name the study file with a similar name, in the folder of `path` or in `studies`."""
    try:
        there = [each for folder in (path.parent, STUDIES) for each in folder.glob("*.toml")]
    except (OSError, ValueError):  # e.g. a path that is too long
        return ""
    by_name = {each.stem: str(each) for each in reversed(there[:MAX_FILES])}
    near = nearest(path.name.removesuffix(".toml"), by_name)
    return "" if near is None else f"; did you mean {by_name[near]}?"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError as error:
        raise StudyError(
            f"{path} is a folder; name a study file inside it, such as {path}/x.toml"
        ) from error
    except FileNotFoundError as error:
        raise StudyError(
            f"{path} does not exist{file_near(path)}; `sweep init {path.name}` writes a study to "
            "start from"
        ) from error
    except (OSError, ValueError) as error:
        raise StudyError(f"{path} cannot be read: {error}") from error
    if len(content) > MAX_FILE_BYTES:
        raise StudyError(
            f"{path} is larger than {MAX_FILE_BYTES} bytes, too large for a study file"
        )
    try:
        return content.decode("utf-8-sig")  # editors on Windows write a byte order mark
    except UnicodeDecodeError as error:
        raise StudyError(f"{path} is not UTF-8 text (byte {error.start})") from error
