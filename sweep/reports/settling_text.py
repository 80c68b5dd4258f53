"""What a report says about further seeds for undecided arms."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.metrics.registry import INSTRUCTION_LOSS, SCORES
from sweep.reports.price_text import runs_at_a_time
from sweep.reports.verdict_columns import TOO_MANY_SEEDS
from sweep.terminal.printable import harmless
from sweep.terminal.units import rough_duration
from sweep.verdicts.judge import ArmReport, Report
from sweep.verdicts.settling import Settling
from trainer.words import counted, shortened

MAX_ARMS = 8
"""Undecided arms whose chances and costs are listed."""
FIRST = "(+n) n more seeds of the arm and the baseline may settle it."


def settling_lines(report: Report) -> list[str]:
    """Explains (+n): the chance that the seeds settle each arm, and what they cost."""
    undecided = [
        arm
        for arm in report.arms
        if arm.result.verdict == "undecided" and arm.result.runs_to_test is None
    ]
    priced = [arm for arm in undecided if arm.settling or report.imported]
    countable = [arm for arm in priced if arm.result.seeds_to_settle]
    hopeless = [
        arm
        for arm in undecided
        if arm.result.seeds_to_settle is None and arm.result.chance_to_settle is not None
    ]
    lines = []
    if countable:
        lines.append(_imported(countable) if report.imported else _trained(report, countable))
    if hopeless:
        lines.append(_hopeless(hopeless))
    return lines


def _imported(arms: Sequence[ArmReport]) -> str:
    chances = [f"{arm.result.seeds_to_settle} has {_chance(arm)}" for arm in arms]
    return f"{FIRST} {_list(chances)}. Import their losses too."


def _trained(report: Report, arms: Sequence[ArmReport]) -> str:
    """With what the command trains for each arm, the cheapest first."""
    known = [(arm, arm.settling) for arm in arms if arm.settling]
    known.sort(key=lambda each: each[1].runs)
    costs = [
        f"{_how(settling, arm, report)} {_chance(arm)} ({_amount(settling)})"
        for arm, settling in known
    ]
    at_once = runs_at_a_time(known[0][1].slots, known[-1][1].runs)
    if report.stack:
        command = f"`sweep stack {harmless(report.stack.of)}` trains them for all arms"
    elif not report.is_primary:
        return f"{FIRST} Trained {at_once}, {_list(costs)}. {_of_other_metric(report)}"
    elif len(known) == 1:
        command = f"`sweep settle {harmless(known[0][0].name)}` trains them"
    else:
        command = "`sweep settle ARM` trains them for one arm, `sweep settle` for all"
    return f"{FIRST} {command}, {at_once}: {_list(costs)}."


def _of_other_metric(report: Report) -> str:
    """What to do for seeds that a metric needs which is not the study's primary one."""
    advice = (
        "`sweep settle` trains what the primary metric needs: for these, raise design.seeds in the "
        "study file."
    )
    is_tuned = report.metric.name in {*SCORES, INSTRUCTION_LOSS.name}
    return f"{advice} Their fine-tunes are not in the time." if is_tuned else advice


def _hopeless(arms: Sequence[ArmReport]) -> str:
    chances = [f"{harmless(arm.name)} ({_percent(arm)})" for arm in arms]
    return (
        f"({TOO_MANY_SEEDS}) Cannot be settled within {TOO_MANY_SEEDS[2:]} more seeds (the chance "
        f"that they would do it): {_list(chances)}."
    )


def _list(words: Sequence[str]) -> str:
    return shortened(words, MAX_ARMS)


def _chance(arm: ArmReport) -> str:
    """`a 60% chance to settle clip`."""
    percent = _percent(arm)
    article = "an" if percent.startswith("8") else "a"
    return f"{article} {percent} chance to settle {harmless(arm.name)}"


def _percent(arm: ArmReport) -> str:
    return f"{arm.result.chance_to_settle or 0:.0%}"


def _how(settling: Settling, arm: ArmReport, report: Report) -> str:
    """`46 more seeds have`: what the command trains; of a stack, the option that does it."""
    if report.stack:
        return f"--seeds {settling.seeds} has"
    further = arm.result.seeds_to_settle or 0
    return f"{counted(further, 'more seed')} {'has' if further == 1 else 'have'}"


def _amount(settling: Settling) -> str:
    """`460 runs, about 15 min`."""
    took = "" if settling.seconds is None else f", about {rough_duration(settling.seconds)}"
    return f"{counted(settling.runs, 'run')}{took}"
