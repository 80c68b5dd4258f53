"""Options that ask further questions about the arms of a study."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.errors import ResultsError
from sweep.terminal.printable import shown

TargetOption = Annotated[
    float | None, typer.Option(help="Test whether the mean of each arm is better than this.")
]
MarginOption = Annotated[
    float | None, typer.Option(help="Test whether arms are better by at least this much.")
]
MetricOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Judge by this metric, not by the study's primary one."),
]
GuardOption = Annotated[
    list[str] | None,
    typer.Option(
        "--guard",
        metavar="METRIC=BOUND",
        help="Test whether arms are not worse in a metric: speed=-5%; repeatable.",
    ),
]
DetailsOption = Annotated[
    bool, typer.Option("--details", help="Show further tests below the table.")
]
AfterOption = Annotated[
    str | None,
    typer.Option(
        metavar="ARM", help="Settle the step from this arm to the other, not its verdict."
    ),
]
CostsOption = Annotated[
    bool, typer.Option("--costs", help="Show what each arm costs in time and memory.")
]


def read_guards(words: list[str] | None) -> dict[str, str]:
    """Parse `["tokens_per_second=-5%"]`. Raises ResultsError."""
    found: dict[str, str] = {}
    for word in words or []:
        name, equals, bound = word.rpartition("=")
        if not equals or not name.strip() or not bound.strip():
            raise ResultsError(
                f"--guard {shown(word)}: write METRIC=BOUND, such as tokens_per_second=-5%"
            )
        if name in found:
            raise ResultsError(f"--guard names {shown(name)} twice; name it once")
        found[name] = bound
    return found
