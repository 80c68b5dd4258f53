"""`sweep interventions`: list known changes to a training run, with reason, source and lines to paste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from sweep.drafting.catalogue import KnownIntervention, catalogue, search
from sweep.reports.document import as_json, publish
from sweep.terminal.console import is_brief, say
from trainer.errors import UserError
from trainer.words import counted


def interventions(
    words: Sequence[str], console: Console, form: Literal["table", "json"] = "table"
) -> int:
    """Print the interventions that have all of the words; only names on a brief console.

    Raises UserError if none has.
    """
    found = search(words)
    if not found:
        raise UserError(
            f"none of the {counted(len(catalogue()), 'known intervention')} has {' and '.join(words)} in its "
            "name, reason, source or fields; `sweep interventions` lists all"
        )
    if form == "json":
        publish(as_json([asdict(each) for each in found]), None, console)
    elif is_brief(console):
        for each in found:
            console.print(each.name, soft_wrap=True)
    else:
        for each in found:
            _print(each, console)
        say(console, f"{counted(len(found), 'intervention')}. Paste one into a study file under")
        say(
            console,
            "[interventions.NAME], or write a study with some: sweep init x.toml --with NAME,NAME",
        )
    return 0


def _print(each: KnownIntervention, console: Console) -> None:
    console.print(Text(each.name, style="bold"))
    console.print(Padding(Text(f"{each.because} ({each.source})"), (0, 0, 0, 2)))
    console.print(Text(f"  {each.set_line}", style="cyan"), soft_wrap=True)  # to be pasted whole
    console.print()
