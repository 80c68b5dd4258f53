"""Sentences on pairs: how arms and baseline of an imported study correlate over equal seeds."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from statistics import median
from typing import TYPE_CHECKING

from analysis.tables.names import shorten
from sweep.errors import listed
from sweep.importing.pairing import EqualSeeds
from sweep.store.plan_content import PlanContent
from sweep.verdicts.judge import ArmReport, Report
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.correlation import SeedCorrelation

LONGEST = 40
"""Characters of an arm's name in a sentence."""
MOST_GAIN = 1000
"""A larger worth of a pair is not written out."""


def correlation_text(found: Sequence[SeedCorrelation]) -> str:
    """`correlation 0.02 (-0.18 to 0.22), a pair is worth 1.0 unpaired runs`.

    Of several arms, it has the smallest and the largest correlation.
    """
    ranked = sorted(found, key=lambda each: each.r)
    least, most = ranked[0], ranked[-1]
    if len(found) == 1:
        return f"correlation {_interval(least)}{_worth(found)}"
    middle = f"{median(each.r for each in found):.2f} (median), " if len(found) > 2 else ""
    return (
        f"correlation with the baseline {middle}from {_interval(least)} in "
        f"'{shorten(least.arm, LONGEST)}' to {_interval(most)} in "
        f"'{shorten(most.arm, LONGEST)}'{_worth(found)}"
    )


def _worth(found: Sequence[SeedCorrelation]) -> str:
    gains = sorted(
        {_gain(each.gain): each.gain for each in found if each.gain}.items(), key=itemgetter(1)
    )
    if not gains:
        return ""
    (least, _), (most, _) = gains[0], gains[-1]
    return f", a pair is worth {least if least == most else f'{least} to {most}'} unpaired runs"


def _gain(gain: float) -> str:
    """More than is worth a number: the arm differs from the baseline by the same in every seed."""
    return f"over {MOST_GAIN:,}" if gain > MOST_GAIN else f"{gain:.1f}"


def _interval(found: SeedCorrelation) -> str:
    return f"{found.r:.2f} ({found.low:.2f} to {found.high:.2f})"


def how_runs_pair(found: EqualSeeds, plan: PlanContent, columns: Sequence[str]) -> str:
    """Say whether the runs of an imported file pair, and by which columns."""
    if len(plan.arms) == 1:
        return "there is one arm, so no runs pair"
    if not found.with_seed:
        return "without seeds no runs pair"
    if not plan.pairs:
        return "runs with equal seeds do not pair"
    if found.baseline and found.others and not found.shared:
        return "no runs pair, because no other arm has a seed of the baseline"
    return f"runs pair by {listed(columns)}" if columns else "runs with equal seeds pair"


def equal_seed_lines(found: EqualSeeds, plan: PlanContent) -> list[str]:
    """What equal seeds of an imported file have in common, and the option that changes its use."""
    lines = []
    measured = found.correlations(plan.analysis.alpha)
    if measured:
        how = (
            "compared as pairs (otherwise --no-pairs)"
            if plan.pairs
            else "compared as unpaired (otherwise --pairs)"
        )
        lines.append(f"Equal seeds: {correlation_text(measured)}; {how}.")
    if found.with_seed and found.without_seed:
        some = found.without_seed
        lines.append(
            f"{counted(some, 'run')} without a seed pair{'s' if some == 1 else ''} with none."
        )
    return lines


def pairing_lines(report: Report) -> list[str]:
    """How equal seeds of an import or a script correlate, and how they were compared."""
    arms = [arm for arm in report.arms if arm.result.n_shared]
    if not (report.imported or report.trained_by_script) or not arms:
        return []
    found = [each for each in map(_correlation, arms) if each]
    if not found and report.pairs:
        return []
    measured = f"{correlation_text(found)}; " if found else ""
    late = ""
    if any(change.what == "pairs" for change in report.history.changes):
        late = ", as decided when results were known (that adds to the error: docs/pairs.md)"
    return [f"Equal seeds: {measured}{_how(report, arms)}{late}."]


def _how(report: Report, arms: Sequence[ArmReport]) -> str:
    from analysis.effects import PAIRED

    if not report.pairs:
        setting = "trainer.pairs = false" if report.trained_by_script else "--no-pairs"
        return f"compared as unpaired ({setting})"
    methods = [arm.result.method for arm in arms]
    unpaired = [each for each in methods if each is not None and each not in PAIRED]
    if not unpaired:
        return "compared as pairs"
    if len(unpaired) == len(arms):
        return "compared as unpaired"
    return f"compared as pairs, except in {len(unpaired)} of {len(arms)} arms"


def _correlation(arm: ArmReport) -> SeedCorrelation | None:
    from analysis.correlation import SeedCorrelation

    result = arm.result
    r, low, high = result.correlation, result.correlation_low, result.correlation_high
    if r is None or low is None or high is None:
        return None
    gain, n = result.pairing_gain, result.n_shared or 0
    return SeedCorrelation(arm=arm.name, r=r, low=low, high=high, n=n, gain=gain)
