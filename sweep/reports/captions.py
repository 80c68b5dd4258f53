"""How to read each figure of a page."""

from __future__ import annotations

from collections.abc import Mapping

CAPTIONS: Mapping[str, str] = {
    "forest": "Large sign and line: the effect and its adjusted interval, by which the verdict was "
    "reached. Small dots: the difference of every seed to the baseline's. An interval that reaches "
    "the edge goes on beyond it.",
    "seeds": "A line joins the runs of one seed. Where lines are parallel, pairs cancel the noise of "
    "the seed; where they cross, they do not.",
    "curves": "Line: the mean over the runs that are done. Area: from the smallest to the largest seed.",
    "difference": "The same seed has the same data and random numbers in both arms, so their "
    "difference shows the change alone. Area: from the smallest to the largest seed. The test result "
    "is measured without dropout, so it may lie elsewhere than the end of the curve.",
    "noise": "First panel: if runs of the baseline are normal, they lie on the line. Second panel: the spread "
    "of single runs, and that of the difference to the baseline with the same seed: the further left, "
    "the more noise a pair cancels. Lines are chi-square intervals.",
    "power": "The smallest true effect that is detected with 80% power after the correction for all "
    "questions. Below the red line effects do not matter.",
    "design": "Effects of noise alone lie on a line through zero. An effect far to the right of it is real.",
    "race": "An arm leaves a race as soon as it is decided. Dashed: the seeds that every arm has.",
    "search": "Trials use seeds that no verdict uses, so the best one looks better than it is. Trials far "
    "worse than the others are drawn at the edge. Importance is that of PED-ANOVA.",
    "stack": "Of a member: what it adds to the other members. The prediction is shrunk, because members "
    "were chosen for good results.",
    "guards": "An arm is not worse if its whole interval lies on the good side of the dashed line.",
}
"""Captions by the name of the figure."""


def caption_of(name: str) -> str:
    """The caption of a figure; empty if it needs none."""
    return CAPTIONS.get(name, "")
