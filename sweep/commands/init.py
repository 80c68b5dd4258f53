"""`sweep init`: write a commented study file to start from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from rich.console import Console

from sweep.drafting.catalogue import KnownIntervention, by_name
from sweep.drafting.draft import make_draft
from sweep.drafting.text import guesses, study_text
from sweep.study.names import MAX_NAME_LENGTH
from sweep.terminal.console import say
from trainer.errors import UserError

_INTERVENTIONS = "# An intervention sets"
_AFTER_INTERVENTIONS = "[design]"
"""How the part of the template about interventions begins, and what follows it."""


def init(
    path: Path | None, console: Console, command: str | None = None, known: Sequence[str] = ()
) -> int:
    """Write a study: the template, or one for a script's command; returns the exit status.

    `known`: names of the catalogue's interventions, which replace those of the template. Raises
    UserError if the file exists, a name is not known, or nothing can be made of the command.
    """
    if command is not None and known:
        raise UserError(
            "--with is for studies of the built-in trainer; a script's own parameters are changed by "
            "interventions in its study file"
        )
    if command is not None:
        return _init_for_script(path, command, console)
    if path is None:
        raise UserError("name the file to write: sweep init my-study.toml")
    text = files("sweep").joinpath("template.toml").read_text(encoding="utf-8")
    text = text.replace(" FILE ", f" {path} ")
    text = text.replace('"my-study"', f'"{study_name(path)}"', 1)
    if known:
        text = _with_interventions(text, by_name(known))
    _write(path, text)
    say(console, f"{path} written. Next: sweep plan {path}")
    return 0


def _with_interventions(text: str, chosen: Sequence[KnownIntervention]) -> str:
    """The template with other interventions, and a question that fits them."""
    before, _, rest = text.partition(_INTERVENTIONS)
    _, design, after = rest.partition(_AFTER_INTERVENTIONS)
    first_line = rest.partition("\n")[0]
    question = 'question = "Which of these changes lower the test loss by more than seed noise?"'
    before = re.sub(r"^question = .*$", lambda _: question, before, count=1, flags=re.MULTILINE)
    tables = "\n".join(each.text for each in chosen)
    return f"{before}{_INTERVENTIONS}{first_line}\n{tables}\n{design}{after}"


def _init_for_script(path: Path | None, command: str, console: Console) -> int:
    folder = Path.cwd()
    draft = make_draft(command, folder)
    path = path or Path(f"{Path(draft.line.title).stem}.toml")
    _write(path, study_text(draft, study_name(path), path, folder))
    say(console, f"{path} written for {draft.line.title}. Guessed; check it in the file:")
    for subject, guess in guesses(draft).items():
        say(console, f"  {subject:<10}  {guess}")
    say(console, f"Next: write your interventions, then sweep plan {path}")
    return 0


def _write(path: Path, text: str) -> None:
    """Write a new file. Raises UserError."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UserError(f"{path} exists already and was not changed; name another file") from error
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def study_name(path: Path) -> str:
    """A valid name for the study in a file: the file's name, with `-` for what a name cannot have."""
    name = re.sub(r"[^\w.+-]+", "-", path.stem).lstrip("-.+_")[:MAX_NAME_LENGTH].rstrip("-")
    return name or "my-study"
