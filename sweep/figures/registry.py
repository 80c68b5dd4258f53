"""The figures of a study. `FIGURES` is the only list of them: the page and `sweep plot` look there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.pictures.figure import Figure
    from sweep.figures.source import Source


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """A figure that a study may have."""

    name: str
    """Its name on the command line."""
    words: str
    """What it shows."""
    needs: str
    """What a study must have for it."""
    make: Callable[[Source], Figure | None]
    """Returns None if the study has nothing to draw."""


def _forest(source: Source) -> Figure | None:
    from sweep.figures.forest import forest

    return forest(source)


def _seeds(source: Source) -> Figure | None:
    from sweep.figures.seeds import seeds

    return seeds(source)


def _curves(source: Source) -> Figure | None:
    from sweep.figures.curves import curves

    return curves(source)


def _difference(source: Source) -> Figure | None:
    from sweep.figures.curves import difference

    return difference(source)


FIGURES: Mapping[str, FigureKind] = {
    each.name: each
    for each in (
        FigureKind(
            name="forest",
            words="effects with intervals, and every seed",
            needs="an arm with an effect",
            make=_forest,
        ),
        FigureKind(
            name="seeds",
            words="seeds as lines across arms",
            needs="a run that is done",
            make=_seeds,
        ),
        FigureKind(
            name="curves",
            words="training curves with the range over seeds",
            needs="training curves of the baseline, and at most 2,000 runs",
            make=_curves,
        ),
        FigureKind(
            name="difference",
            words="training curves as paired differences to the baseline",
            needs="training curves of arms and baseline with the same seeds, and at most 2,000 runs",
            make=_difference,
        ),
    )
}
