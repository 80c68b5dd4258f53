"""Sizes of figures in files, by what they are for. Quick to import: the command line lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Size:
    """Width and text of a figure for one use."""

    width: float
    """Inches."""
    font: float
    """Size of its text, in points of 1/72 inch."""
    least_height: float = 0.0
    """Inches."""
    narrow: bool = False
    """True if panels go below each other as on a phone."""


SIZES: Mapping[str, Size] = {
    "column": Size(width=3.4, font=7, narrow=True),
    "page": Size(width=7.0, font=8),
    "slide": Size(width=10.0, font=12, least_height=5.6),
}
"""Sizes by name: a column or the width of a page in print, and a slide."""
