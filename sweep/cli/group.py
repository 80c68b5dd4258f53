"""The group of all commands: its help in sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from typer.core import TyperGroup

from sweep.cli.examples import EXAMPLES

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Plan and train": (
        *(
            "init",
            "interventions",
            "plan",
            "run",
            "search",
            "settle",
            "noise",
            "stack",
            "train",
            "data",
        ),
    ),
    "See results": (*("report", "show", "compare", "plot", "serve", "import"),),
    "Follow and control runs": (*("watch", "status", "log", "pause", "resume", "cancel", "retry"),),
    "Use trained models": ("export", "evaluate", "generate", "judge", "evals"),
    "Keep order": ("list", "study", "doctor", "backup", "rebuild", "gc"),
}
"""Headings of the help, and the commands below each."""
OTHERS = "Others"
"""The heading of commands that no section names."""
CLAUSE_ENDS = ("; ", ": ", ", ")
"""Where a sentence may end early, the best places first."""
NO_LIMIT = 1_000
"""Characters of a help text that `typer` does not cut."""


class Group(TyperGroup):
    """Lists the commands in sections."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (typer's own)
        """Write the commands section by section, each with an example."""
        if ctx.parent is not None:  # `sweep data`: few commands, in one list
            with formatter.section("Commands"):
                formatter.write_dl(self._rows(self.commands, formatter.width))
            return
        known = {name for names in SECTIONS.values() for name in names}
        others = {OTHERS: tuple(name for name in self.commands if name not in known)}
        for heading, names in {**SECTIONS, **others}.items():
            there = [name for name in names if name in self.commands]
            if there:
                with formatter.section(heading):
                    formatter.write_dl(self._rows(there, formatter.width))
                    example = next(name for name in there if name in EXAMPLES)
                    formatter.write_text(f"Example: sweep {example} {EXAMPLES[example]}")

    def _rows(self, names: Iterable[str], width: int) -> list[tuple[str, str]]:
        """The names with what the commands do, for a terminal of this width."""
        room = width - 6 - max(map(len, self.commands))
        return [(name, shortened(self.commands[name], room)) for name in names]


def shortened(command: Any, width: int) -> str:  # noqa: ANN401  (typer's own)
    """The first sentence of a command's help, or as many of its clauses as fit."""
    whole = str(command.get_short_help_str(NO_LIMIT))
    if len(whole) <= width:
        return whole
    for mark in CLAUSE_ENDS:
        clauses, found, _ = whole[: width + 1].rpartition(mark)
        if found:
            return clauses + "."
    return str(command.get_short_help_str(width))
