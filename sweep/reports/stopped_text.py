"""Sentences on arms that were, or may be, stopped early."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sweep.design.plan import Plan
from sweep.design.stop_worse import exempt_arms, stoppable_arms
from sweep.errors import listed
from sweep.store.stopped_content import StoppedContent
from sweep.terminal.printable import harmless
from sweep.verdicts.judge import ArmReport
from trainer.words import counted

MAX_EXPONENT = 6
"""E-values from ten to this power on are written as a power of ten."""


def stopped_lines(arms: Sequence[ArmReport]) -> list[str]:
    """The evidence on each arm that was stopped early."""
    return [
        f"({arm.stopped.decision.words}) {harmless(arm.name)}: {evidence_words(arm.stopped.decision)}."
        for arm in arms
        if arm.stopped
    ]


def evidence_words(found: StoppedContent) -> str:
    """Why an arm was stopped, and what became of its runs."""
    seeds = counted(found.seeds, "seed")
    return (
        f"at step {found.step:,} its curve was worse than the baseline's by {found.worse_by:.4g} on "
        f"average over {seeds} (e-value {_e_value(found.log_e_value)}, alpha {found.alpha:g}); its other "
        "runs were not trained to the end, and those that were take no part in any test"
    )


def _e_value(log: float) -> str:
    power = log / math.log(10)
    return f"1e{power:.0f}" if power >= MAX_EXPONENT else f"{math.exp(log):,.0f}"


def stop_worse_lines(plan: Plan) -> list[str]:
    """Says which arms of a plan may be stopped early, and from how many seeds on."""
    from analysis.worse import fewest_seeds

    rules, tested = plan.study.design.stop_worse, stoppable_arms(plan)
    if rules is None or plan.stack:
        return []
    exempt = "; ".join(f"{harmless(arm)} ({why})" for arm, why in exempt_arms(plan).items())
    never = f" Never stopped: {exempt}." if exempt else ""
    if not tested:
        return [f"No arm can be stopped early.{never}"]
    at = [f"{100 * each:g}%" if each < 1 else f"step {each:g}" for each in rules.at]
    fewest = fewest_seeds(plan.study.analysis.alpha / len(rules.at), len(tested))
    most = max(len(plan.arm(arm).specs) for arm in tested)
    line = (
        f"Arms shown to be worse by more than {rules.margin:g} are stopped at {listed(at)}, from "
        f"{fewest} seeds on"
    )
    few = ", which no arm has: give them more seeds" if most < fewest else ""
    return [f"{line}{few}.{never}"]
