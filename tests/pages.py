"""The commands that pages show, and the marks above those that no test runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.sources import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+?) -->")
LANGUAGES_OF_COMMANDS = ("", "sh", "bash", "console")
"""Languages of fenced blocks that may hold commands."""
OPTIONAL = re.compile(r"\[-[^\]]*\]")


@dataclass(frozen=True)
class Shown:
    """A command on a page."""

    page: str
    line: str
    """As it is shown, on one line, without its comment."""
    reason: str | None
    """Why no test runs it; None for one that is run."""

    @property
    def words(self) -> list[str]:
        """Its words after `sweep`, without what can be left out: `[--force]`, `or ARM`."""
        words = shlex.split(OPTIONAL.sub("", self.line), comments=True)[1:]
        return words[: words.index("or")] if "or" in words else words


def shown_commands(page: Path) -> list[Shown]:
    """The commands `sweep ...` in the blocks of a page, in their order.

    A mark `<!-- not run: REASON -->` is about the next block.
    """
    name = str(page.relative_to(ROOT))
    return [
        Shown(name, command, reason)
        for block, reason in _blocks(page.read_text())
        for line in block
        for command in line.split(" && ")
        if command.startswith("sweep ")
    ]


def _blocks(text: str) -> Iterator[tuple[list[str], str | None]]:
    """The lines of each block of code, with lines that end in a backslash joined, and its mark."""
    reason: str | None = None
    language: str | None = None
    block: list[str] = []
    for line in [*text.splitlines(), "end"]:
        is_code = language is not None or line.startswith("    ")
        if line.startswith("```"):
            language = line[3:].split(" ")[0] if language is None else None
        elif is_code and (language or "") in LANGUAGES_OF_COMMANDS:
            _add(block, line.strip())
        elif not is_code and line.strip():
            if block:
                yield block, reason
                block, reason = [], None
            found = NOT_RUN.search(line)
            reason = found["reason"] if found else reason


def _add(block: list[str], line: str) -> None:
    if block and block[-1].endswith("\\"):
        block[-1] = f"{block[-1][:-1]}{line}"
    elif line:
        block.append(line)


def inline_commands(page: Path) -> list[str]:
    """The commands in the running text of a page: `sweep report --details`."""
    text = re.sub(r"^(```|    ).*", "", page.read_text(), flags=re.MULTILINE)
    return [" ".join(each.split()) for each in re.findall(r"`(sweep [^`]+)`", text)]
