"""Sentences on the runs that effects rest on: too few, written with few digits, or not all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweep.terminal.printable import harmless, harmless_first
from sweep.terminal.units import shown_decimals, supported_decimals
from trainer.words import shortened

if TYPE_CHECKING:
    from analysis.arm_verdict import ArmVerdict, Judgement

MAX_ARMS = 6
"""Arms that a sentence names."""
_SAME = 1e-12


def needs_runs(result: ArmVerdict) -> str:
    """`looks worse (1/4)`: an undecided arm with one of the four runs that make a test."""
    word = f"looks {result.looks}" if result.looks else "undecided"
    return f"{word} ({result.runs_counted}/{result.runs_to_test})"


def run_lines(judgement: Judgement) -> list[str]:
    """All sentences that apply to a study."""
    return [
        *_few_run_lines(judgement.arms),
        *_rounding_lines(judgement),
        *_mean_lines(judgement.arms),
    ]


def _few_run_lines(arms: Sequence[ArmVerdict]) -> list[str]:
    few = [arm for arm in arms if arm.runs_to_test is not None]
    if not few:
        return []
    n, counts = few[0].runs_to_test, sorted({arm.runs_counted or 0 for arm in few})
    marks = ", ".join(f"({count}/{n})" for count in counts)
    line = (
        f"{marks} A test takes {n} runs of arm and baseline each, or 3 seeds that they share; "
        "fewer runs decide only large effects."
    )
    if any(arm.n_done == 1 for arm in few):
        line += " A single run may look better or worse, which is no verdict."
    return [line]


def _rounding_lines(judgement: Judgement) -> list[str]:
    if all(arm.mean == 0 and not arm.sd for arm in judgement.arms if arm.n_done):
        return []  # zeros have no last digit
    digit, lines = judgement.resolution, []
    written = f"Values are written to {digit:g}" if digit else "Values have all their digits"
    hidden = [arm.arm for arm in judgement.arms if arm.hidden_by_rounding]
    if hidden:
        lines.append(
            f"{written}: the differences of {harmless_first(hidden, MAX_ARMS)} vary less than rounding explains, so "
            "their intervals have the variance of rounding."
        )
    if digit and any(arm.verdict == "identical" for arm in judgement.arms):
        lines.append(f"{written}: identical arms may differ by less.")
    return lines


def _mean_lines(arms: Sequence[ArmVerdict]) -> list[str]:
    """The means behind effects that rest on a part of the runs, where pairs decide."""
    baseline, *others = arms
    told = [
        f"{harmless(arm.arm)} {_difference(arm, arm.mean_used, arm.baseline_mean_used)}"
        for arm in others
        if arm.mean_used is not None
        and arm.baseline_mean_used is not None
        and not (_same(arm.mean_used, arm.mean) and _same(arm.baseline_mean_used, baseline.mean))
    ]
    if not told:
        return []
    line = "Means are over all runs, these effects over those that the verdict rests on: "
    return [f"{line}{shortened(told, MAX_ARMS)}."]


def _difference(arm: ArmVerdict, used: float, of_baseline: float) -> str:
    """`2.3121 − 2.3454`, with the decimals of the effect that it makes."""
    most = shown_decimals(of_baseline)
    digits = supported_decimals(arm.ci_low_adjusted, arm.ci_high_adjusted, most)
    return f"{used:.{digits}f} − {of_baseline:.{digits}f}"


def _same(used: float, mean: float | None) -> bool:
    return mean is not None and math.isclose(used, mean, rel_tol=_SAME, abs_tol=_SAME)
