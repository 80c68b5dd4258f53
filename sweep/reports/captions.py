"""How to read each figure of a page."""

from __future__ import annotations

from collections.abc import Mapping

CAPTIONS: Mapping[str, str] = {
    "forest": "Large sign and line: the effect and its adjusted interval, by which the verdict was "
    "reached. Small dots: the difference of every seed to the baseline's. An interval that reaches "
    "the edge goes on beyond it.",
    "seeds": "A line joins the runs of one seed. Where lines are parallel, pairs cancel the noise of "
    "the seed; where they cross, they do not.",
    "curves": "Line: the mean over seeds. Area: from the smallest to the largest seed.",
    "difference": "The same seed has the same data and random numbers in both arms, so their "
    "difference shows the change alone. Area: from the smallest to the largest seed. The test result "
    "is measured without dropout, so it may lie elsewhere than the end of the curve.",
}
"""Captions by the name of the figure."""


def caption_of(name: str) -> str:
    """The caption of a figure; empty if it needs none."""
    return CAPTIONS.get(name, "")
