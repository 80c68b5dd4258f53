"""Colours that people with a colour vision deficiency can tell apart.

Okabe and Ito's palette (2008, "Color Universal Design"), darkened where a colour has to stand out
from white by 3 : 1; `dark` is for dark pages. The ranks run from dark to light in the order of
viridis (matplotlib), which keeps its order in greyscale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .figure import Tone


@dataclass(frozen=True)
class Colour:
    """A colour on light and on dark ground, as `#rrggbb`."""

    light: str
    dark: str


COLOURS: Mapping[Tone, Colour] = {
    "ink": Colour("#1b1f24", "#e8eaed"),
    "muted": Colour("#5b6570", "#a3acb6"),
    "faint": Colour("#d5d9de", "#3b424a"),
    "baseline": Colour("#4d5660", "#b4bcc6"),
    "arm": Colour("#0072b2", "#56b4e9"),
    "better": Colour("#0072b2", "#56b4e9"),
    "worse": Colour("#b84a00", "#f2894b"),
    "undecided": Colour("#a8518a", "#d98bc0"),
    "negligible": Colour("#5b6570", "#a3acb6"),
    "band": Colour("#eef1f4", "#262c33"),
    "rank1": Colour("#440154", "#fde725"),
    "rank2": Colour("#3b528b", "#7ad151"),
    "rank3": Colour("#21908c", "#22a884"),
    "rank4": Colour("#4aa84f", "#5b86c4"),
    "rank5": Colour("#a39a00", "#9a6fc4"),
}
