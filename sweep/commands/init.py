"""`sweep init`: write a commented study file to start from."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from rich.console import Console

from sweep.study.names import MAX_NAME_LENGTH
from sweep.terminal.console import say
from trainer.errors import UserError


def init(path: Path, console: Console) -> int:
    """Write the template; the exit status. Raises UserError if the file exists."""
    text = files("sweep").joinpath("template.toml").read_text(encoding="utf-8")
    text = text.replace(" FILE ", f" {path} ")
    text = text.replace('"my-study"', f'"{study_name(path)}"', 1)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UserError(f"{path} exists already and was not changed; name another file") from error
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    say(console, f"{path} written. Next: sweep plan {path}")
    return 0


def study_name(path: Path) -> str:
    """A valid name for the study in a file: the file's name, with `-` for what a name cannot have."""
    name = re.sub(r"[^\w.+-]+", "-", path.stem).lstrip("-.+_")[:MAX_NAME_LENGTH].rstrip("-")
    return name or "my-study"
