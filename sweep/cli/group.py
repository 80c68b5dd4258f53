"""The group of all commands: its help in sections."""

from __future__ import annotations

from collections.abc import Mapping
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
    "Use trained models": ("export", "evaluate", "generate", "judge"),
    "Keep order": ("list", "study", "doctor", "backup", "rebuild", "gc"),
}
"""Headings of the help, and the commands below each."""
OTHERS = "Others"
"""The heading of commands that no section names."""


class Group(TyperGroup):
    """Lists the commands in sections."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (typer's own)
        """Write the commands section by section, each with an example."""
        if ctx.parent is not None:  # `sweep data`: few commands, in one list
            super().format_commands(ctx, formatter)
            return
        known = {name for names in SECTIONS.values() for name in names}
        others = {OTHERS: tuple(name for name in self.commands if name not in known)}
        width = formatter.width - 6 - max(map(len, self.commands))
        for heading, names in {**SECTIONS, **others}.items():
            there = [name for name in names if name in self.commands]
            if there:
                with formatter.section(heading):
                    rows = [(name, self.commands[name].get_short_help_str(width)) for name in there]
                    formatter.write_dl(rows)
                    example = next(name for name in there if name in EXAMPLES)
                    formatter.write_text(f"Example: sweep {example} {EXAMPLES[example]}")
