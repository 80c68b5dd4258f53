"""The width of text that is drawn without a font at hand."""

from __future__ import annotations

from rich.cells import cell_len

NARROW, WIDE = set("iljtfr.,:;|!'()[] −-"), set("mwMW@%—…")
NARROW_EM, USUAL_EM, WIDE_EM = 0.4, 0.62, 0.95
"""Widths in units of the font size: an upper limit for DejaVu Sans, wider than Arial, Segoe UI and Roboto."""


def text_width(text: str, size: float) -> float:
    """About how wide a text is, in the unit of `size`, the size of its font."""
    return size * sum(map(_em, text))


def _em(character: str) -> float:
    if character in NARROW:
        return NARROW_EM
    if character in WIDE:
        return WIDE_EM
    return USUAL_EM * cell_len(character) if cell_len(character) != 1 else USUAL_EM


def fitted(text: str, size: float, width: float) -> str:
    """A text that is at most so wide: cut in the middle, with an ellipsis, if it has to be."""
    if text_width(text, size) <= width:
        return text
    kept = len(text) - 1
    while kept > 2 and text_width(_cut(text, kept), size) > width:
        kept -= 1
    return _cut(text, kept)


def _cut(text: str, kept: int) -> str:
    end = kept // 3
    return f"{text[: kept - end]}…{text[len(text) - end :]}"
