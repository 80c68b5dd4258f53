"""Options that ask further questions about the arms of a study."""

from __future__ import annotations

from typing import Annotated

import typer

TargetOption = Annotated[
    float | None, typer.Option(help="Test whether the mean of each arm is better than this.")
]
MarginOption = Annotated[
    float | None, typer.Option(help="Test whether arms are better by at least this much.")
]
