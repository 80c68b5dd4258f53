"""`sweep plot`: write one figure of a study to a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sweep.errors import ResultsError, UserError
from sweep.figures.registry import FIGURES
from sweep.reports.document import publish_bytes
from sweep.terminal.console import say
from sweep.workspace import Workspace

if TYPE_CHECKING:
    from analysis.pictures.files import FileKind

SUFFIXES: Mapping[str, FileKind] = {".svg": "svg", ".png": "png", ".pdf": "pdf"}
"""How a figure is written, by the ending of the file's name."""


@dataclass(frozen=True, kw_only=True)
class PlotRequest:
    """The arguments of `sweep plot`."""

    kind: str
    """A name in `FIGURES`."""
    output: Path
    study: str | None = None
    size: str = "page"
    """A name in `analysis.pictures.sizes.SIZES`."""


def plot(workspace: Workspace, request: PlotRequest, console: Console) -> int:
    """Write a figure. Returns the exit status.

    Raises UserError for an unknown suffix or a file that cannot be written, ResultsError for a study
    that has nothing to draw.
    """
    form = file_kind(request.output)
    from analysis.pictures.files import figure_bytes
    from analysis.pictures.sizes import SIZES
    from sweep.figures.source import Source

    store = workspace.open_to_read()
    source = Source(store, store.study(workspace.study_name(request.study)))
    kind = FIGURES[request.kind]
    if source.is_search and not kind.shows_trials:
        raise ResultsError(
            f"{source.name} has the trials of a search, and no verdicts; its figure is "
            "`sweep plot search`"
        )
    figure = kind.make(source)
    if figure is None:
        raise ResultsError(f"{source.name} has no figure {kind.name}: that needs {kind.needs}")
    publish_bytes(figure_bytes(figure, form, SIZES[request.size]), request.output, console)
    if figure.left_out:
        say(console, figure.left_out)
    return 0


def file_kind(output: Path) -> FileKind:
    """What a file's suffix stands for. Raises UserError for an unknown one."""
    suffix = output.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    *most, last = SUFFIXES
    raise UserError(
        f"-o {output}: a figure cannot be written to {suffix or 'a file without a suffix'}; end the "
        f"name in {', '.join(most)} or {last}"
    )
