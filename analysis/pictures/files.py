"""Draw a figure with matplotlib into a file: SVG, PNG or PDF."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .figure import Figure, Key, Panel
from .sizes import Size
from .text_width import fitted, text_width
from .tones import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

FileKind: TypeAlias = Literal["svg", "png", "pdf"]
LEGEND_SIGN = 3.4
"""Width of a legend's sign with its gaps, in units of the font's size."""
LARGEST_LABEL = 0.3
"""Share of a panel's width that names of rows take at most."""
POINTS_PER_INCH = 96.0
"""Points of a page in an inch."""


def figure_bytes(figure: Figure, kind: FileKind, size: Size) -> bytes:
    """Return the content of a file with the figure. The same figure gives the same bytes."""
    import matplotlib as mpl  # noqa: PLC0415  (importing matplotlib takes half a second)
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

    with mpl.rc_context(_settings(size)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name's character shows as a box
        canvas = _draw(figure, size)
        FigureCanvasAgg(canvas)
        content = io.BytesIO()
        canvas.savefig(
            content,
            format=kind,
            dpi=200,
            bbox_inches="tight",
            pad_inches=0.02,
            metadata=_metadata(figure, kind),
        )
    return content.getvalue()


def _settings(size: Size) -> dict[Any, Any]:
    return {
        "font.size": size.font,
        "font.family": ["sans-serif"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": COLOURS["muted"].light,
        "axes.linewidth": 0.6,
        "axes.titlesize": size.font,
        "axes.labelcolor": COLOURS["muted"].light,
        "axes.unicode_minus": True,
        "xtick.color": COLOURS["muted"].light,
        "ytick.color": COLOURS["muted"].light,
        "svg.fonttype": "none",
        "svg.hashsalt": "sweep",
        "pdf.fonttype": 42,
        "text.parse_math": False,  # a name with dollar signs is no formula
        "text.usetex": False,
    }


def _metadata(figure: Figure, kind: FileKind) -> dict[str, Any]:
    """Title, and no date: the same figure gives the same file."""
    title = "".join(c if c.isprintable() else " " for c in figure.title)
    if kind == "png":
        return {"Title": title.encode("latin-1", "replace").decode("latin-1")}
    return (
        {"Title": title, "Date": None} if kind == "svg" else {"Title": title, "CreationDate": None}
    )


def _draw(figure: Figure, size: Size) -> Canvas:
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    columns = min(figure.narrow_columns if size.narrow else figure.columns, len(figure.panels))
    rows = [figure.panels[at : at + columns] for at in range(0, len(figure.panels), columns)]
    scale = size.font / 9.0
    heights = [max(panel.height for panel in row) * scale / POINTS_PER_INCH for row in rows]
    total = sum(heights) + 0.55 * scale * len(rows) + 0.3 * scale
    height = max(total, size.least_height)
    made = Canvas(figsize=(size.width, height), layout="constrained")
    grid = made.add_gridspec(len(rows), columns, height_ratios=heights)
    for place, panel in enumerate(figure.panels):
        row, column = divmod(place, columns)
        axes = made.add_subplot(grid[row, column])
        _draw_panel(axes, panel, size, size.width / columns)
        if figure.shares_axes:
            axes.tick_params(
                labelleft=column == 0, labelbottom=place + columns >= len(figure.panels)
            )
    if figure.x_title:
        made.supxlabel(figure.x_title, fontsize=size.font, color=COLOURS["muted"].light)
    if figure.y_title:
        made.supylabel(figure.y_title, fontsize=size.font, color=COLOURS["muted"].light)
    _add_legend(made, figure, size)
    return made


def _draw_panel(axes: Axes, panel: Panel, size: Size, width: float) -> None:
    """Draw a panel in an area of this width, in inches."""
    from .file_marks import draw  # noqa: PLC0415

    if panel.x.log:
        axes.set_xscale("log")
    if panel.y.log:
        axes.set_yscale("log")
    axes.set_xlim(panel.x.low, panel.x.high)
    axes.set_ylim(panel.y.low, panel.y.high)
    axes.minorticks_off()
    axes.set_xticks([tick.value for tick in panel.x.ticks], [tick.label for tick in panel.x.ticks])
    room = LARGEST_LABEL * width * 72
    names = [fitted(tick.label, size.font, room) for tick in panel.y.ticks]
    axes.set_yticks([tick.value for tick in panel.y.ticks], names)
    axes.grid(axis="x" if panel.has_rows else "both", color=COLOURS["faint"].light, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel(panel.x.title, loc="left")
    if panel.has_rows:
        axes.tick_params(axis="y", length=0, labelcolor=COLOURS["ink"].light)
        axes.spines["left"].set_visible(False)
    else:
        axes.set_ylabel(panel.y.title)
    if panel.title:
        axes.set_title(
            fitted(panel.title, size.font, 0.8 * width * 72), loc="left", fontweight="bold"
        )
    for mark in panel.marks:
        draw(axes, mark, size.font / 9.0)
    if panel.notes and not size.narrow:
        _add_notes(axes, panel)


def _add_notes(axes: Axes, panel: Panel) -> None:
    beside = axes.get_yaxis_transform()
    for tick, note in zip(panel.y.ticks, panel.notes, strict=True):
        colour = COLOURS["muted"].light
        axes.text(1.02, tick.value, note, transform=beside, va="center", color=colour)


def _add_legend(made: Canvas, figure: Figure, size: Size) -> None:
    if not figure.keys:
        return
    handles = [_handle(key, size) for key in figure.keys]
    made.legend(
        handles=handles,
        loc="outside upper left",
        ncols=_legend_columns(figure.keys, size),
        frameon=False,
        handlelength=1.4,
        columnspacing=1.2,
        borderaxespad=0.0,
    )


def _legend_columns(keys: Sequence[Key], size: Size) -> int:
    """As many columns as fit beside each other."""
    widest = max(text_width(key.label, size.font) for key in keys) + LEGEND_SIGN * size.font
    return max(1, min(len(keys), int(size.width * 72 / widest)))


def _handle(key: Key, size: Size) -> Any:  # noqa: ANN401  (an artist of matplotlib)
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    from .file_marks import MARKERS  # noqa: PLC0415

    colour = COLOURS[key.tone].light
    match key.shape:
        case "area":
            return Patch(facecolor=colour, edgecolor=COLOURS["faint"].light, label=key.label)
        case "line":
            return Line2D([], [], color=colour, label=key.label)
        case "dashes":
            return Line2D([], [], color=colour, linestyle="--", label=key.label)
        case _:
            made = Line2D([], [], color=colour, linestyle="", label=key.label)
            made.set_marker(MARKERS[key.shape])
            made.set_markersize(size.font * (0.4 if key.is_small else 0.75))
            made.set_markerfacecolor("none" if key.shape == "ring" else colour)
            return made
