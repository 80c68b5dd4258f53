"""Take the command of a script apart: environment, launcher, script and arguments."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.errors import UserError, did_you_mean
from sweep.study.local_modules import file_of_module
from sweep.terminal.printable import shown

SUFFIXES = frozenset({".py", ".sh", ".bash", ".jl", ".R", ".r", ".js", ".lua", ".pl", ".rb"})
"""Suffixes of scripts."""
RUNNERS = frozenset({"uv", "poetry", "pipenv", "pdm", "hatch", "rye"})
"""Programs whose `run PROGRAM` runs a program."""
LAUNCHER_MODULES = frozenset(
    {"torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch"}
)
"""Modules for `python -m` that start a script."""
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_OPERATOR = re.compile(r"[();<>|&]+")
_EXPANSION = re.compile(r"\$[\w({]|`")


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """The parts of a command."""

    environment: dict[str, str]
    """Variables that were set before the command."""
    launcher: tuple[str, ...]
    """The words up to the script, which is the last of them."""
    arguments: tuple[str, ...]
    """The words after the script."""
    script: Path | None
    """The script's file, relative to the working directory; None for a program."""

    @property
    def title(self) -> str:
        """The script's or program's name, for people."""
        return str(self.script or Path(self.launcher[-1]).name)


def read_command(text: str, folder: Path) -> CommandLine:
    """Take a command apart that is typed in `folder`. Raises UserError."""
    words = _split(text)
    environment: dict[str, str] = {}
    while words and (found := _ASSIGNMENT.fullmatch(words[0])):
        environment[found[1]] = found[2]
        del words[0]
    if not words:
        raise UserError(
            "--command is empty; give what you type to train once, such as "
            '--command "python train.py --lr=0.1 --seed=1"'
        )
    _check_program(words[0], folder)
    last, script = _find_script(words, folder)
    return CommandLine(
        environment=environment,
        launcher=tuple(words[: last + 1]),
        arguments=tuple(words[last + 1 :]),
        script=script,
    )


def _split(text: str) -> list[str]:
    """The words of a command. Raises UserError for what only a shell understands."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split, lexer.commenters = True, ""
        operators = [word for word in lexer if _OPERATOR.fullmatch(word)]
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"--command: {shown(text)} has a quote that is not closed") from error
    expanded = [word for word in words if _EXPANSION.search(word)]
    for word in [*operators, *expanded]:
        raise UserError(
            f"--command: {shown(word)} is for a shell, and commands of a study run without one; "
            "give a single command with its values written out, or put it into a script"
        )
    return words


def _check_program(word: str, folder: Path) -> None:
    """Raise UserError if there is no such program."""
    program = str(folder / word) if "/" in word else word
    if shutil.which(program) is None:
        problem = "is not executable" if Path(program).exists() else "does not exist"
        place = "" if "/" in word else " in any folder of PATH"
        hint = f"; did you mean python {word}?" if (folder / word).is_file() else ""
        raise UserError(f"--command: the program {shown(word)} {problem}{place}{hint}")


def _find_script(words: Sequence[str], folder: Path) -> tuple[int, Path | None]:
    """The position of the script among the words, and its file. Raises UserError."""
    for position, word in enumerate(words):
        before = words[position - 1] if position else ""
        if before == "-c":
            return position, None
        if before == "-m" and word not in LAUNCHER_MODULES:
            return position, _file_of(word, folder)
        if Path(word).suffix in SUFFIXES and not word.startswith("-"):
            return position, _existing(word, folder)
    if words[0] in RUNNERS and len(words) > 2 and words[1] == "run":
        return 2, None
    return 0, None


def _file_of(module: str, folder: Path) -> Path | None:
    """The file of a module of the user's, which `python -m` runs; None for an installed one."""
    found = file_of_module(module, [folder])
    if found is not None and found.name == "__init__.py":
        found = found.with_name("__main__.py")
    return found and found.relative_to(folder)


def _existing(word: str, folder: Path) -> Path:
    """The file of a script. Raises UserError if there is none."""
    path = Path(word)
    if not (folder / path).is_file():
        beside = (each.name for each in (folder / path).parent.glob(f"*{path.suffix}"))
        raise UserError(
            f"--command: the script {shown(word)} does not exist in {folder}"
            f"{did_you_mean(path.name, beside)}"
        )
    inside = (folder / path).resolve()
    return inside.relative_to(folder) if inside.is_relative_to(folder) else inside
