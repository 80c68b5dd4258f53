"""What a report says above and below its table, in sentences."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.multiplicity import CORRECTIONS
from sweep.history.changes import PlanChange, changes_in_words
from sweep.history.history import PlanHistory
from sweep.history.withdrawn import WithdrawnArm
from sweep.reports.verdict_columns import FEW_CHUNKS, NOBODY_KNOWS, has_yet_to_run
from sweep.study.overrides import shown_overrides
from sweep.terminal.printable import harmless, shown
from sweep.terminal.units import duration
from sweep.verdicts.confounders import confounder_lines
from sweep.verdicts.judge import Report
from sweep.verdicts.reproducible import Reproducible

MOST_COSTS = 8
"""Undecided arms whose further seeds are priced below a table."""
MOST_CHANGES = 12
"""Changes of a plan that are told one by one."""


def preamble(result: Report) -> list[str]:
    """What stands above the table."""
    settings, noise = result.analysis, result.judgement.noise
    what = shown(result.metric) if result.metric else "test loss, nats per token"
    lines = [f"{result.study}: effect = arm − baseline in {what}; negative is better."]
    if (correction := CORRECTIONS[settings.correction]).is_exploratory:
        lines.append(correction.description)
    if noise is not None:
        lines.append(
            f"Baseline: mean {noise.mean:.4f}, sd {noise.sd:.4f} over {noise.n} seeds "
            f"(95% interval of the sd {noise.ci_low:.4f} to {noise.ci_high:.4f})."
        )
    if (known := result.noise_on_record) is not None:
        lines.append(f"Noise on record: sd {known['sd']:.4f} ({known['source']}).")
        lines += [known["warning"]] if known["warning"] else []
    lines.append(
        f"alpha {settings.alpha:g}, {settings.correction} over a family of "
        f"{result.judgement.family}; smallest effect worth having "
        f"{settings.smallest_effect:g}; plan {result.plan_hash[:12]}."
    )
    if result.overrides:
        lines.append(f"Overridden on the command line: {shown_overrides(result.overrides)}.")
    if result.stack:
        of, promise = result.stack.of, result.stack.promised_effect
        lines.append(
            f"The stack of {of}, which promised {promise:+.4f}; `sweep stack {of}` compares."
        )
    lines += result.tested_text.sentences()
    return [*lines, *_plan_lines(result.history), *confounder_lines(result.confounders)]


def _plan_lines(history: PlanHistory) -> list[str]:
    """What has become of the plan, and of its file."""
    path = harmless(history.path)
    lines = {
        "as planned": [],
        "stack": [],
        "imported": [f"Imported from {path}."],
        "gone": [f"{path} is gone: this is the plan last run."],
        "unreadable": [f"{path} is no valid study any more: this is the plan last run."],
        "changed": [
            (
                f"{path} has changed since: this is the plan last run; `sweep run {path}` trains and "
                f"judges the new one ({_some_changes(history.file_changes)})."
            )
        ],
    }[history.file]
    if history.changes:
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(history.first_stored))
        lines.append(
            f"This is not the plan that the study began with ({began}): "
            f"{_some_changes(history.changes)}."
        )
    return lines


def _some_changes(changes: Sequence[PlanChange]) -> str:
    more = f"; and {len(changes) - MOST_CHANGES} more" if len(changes) > MOST_CHANGES else ""
    return changes_in_words(changes[:MOST_CHANGES]) + more


def footnotes(result: Report, content: Mapping[str, Any]) -> list[str]:
    """What stands below the table."""
    lines, rows = [], content["arms"]
    if any(row["real_but_negligible"] for row in rows):
        lines.append("(real) The effect is not zero, but shown to be smaller than is worth having.")
    if any(row["sensitive"] for row in rows):
        lines.append("* another method would have given another verdict (see --format json).")
    if any(row[FEW_CHUNKS] for row in rows):
        lines.append("† rests on few chunks of the test text; other text may give another verdict.")
    if any(row["n_diverged"] and row["mean"] is not None for row in rows):
        lines.append("Means are over the runs that converged.")
    lines += _withdrawn_lines(result.history)
    missing = sum(row["n_missing"] for row in rows)
    if missing:
        lines.append(f"{missing} runs are still to be trained: these verdicts are provisional.")
    undecided = [row for row in rows if row["verdict"] == "undecided"]
    countable = [row for row in undecided if row["seeds_to_settle"]]
    lines += [_cost_of_settling(countable, imported=result.imported)] if countable else []
    if any(row["ci_low"] is None and not has_yet_to_run(row) for row in undecided):
        lines.append(f"({NOBODY_KNOWS}) The runs that there are show no noise to reckon with.")
    lines += Reproducible(**content["reproducible"]).sentences()
    return lines + _reference_words(content["references"])


def _withdrawn_lines(history: PlanHistory) -> list[str]:
    """Arms that are gone from the study, and whether they count."""
    lines = []
    for in_family, end in (
        (True, "They count in the family: a question that was asked cannot be taken back."),
        (False, "They do not count in the family: their baseline was another one."),
    ):
        arms = [_withdrawn(arm) for arm in history.withdrawn if arm.in_family is in_family]
        if arms:
            lines.append(f"Tried, and no longer in the study: {', '.join(arms)}. {end}")
    return lines


def _withdrawn(arm: WithdrawnArm) -> str:
    ended = {"done": arm.n_done, "diverged": arm.n_diverged, "failed": arm.n_failed}
    counts = ", ".join(f"{number} {word}" for word, number in ended.items() if number)
    mean = "" if arm.mean is None else f", mean {arm.mean:.4f}"
    return f"{harmless(arm.arm)} ({counts}{mean})"


def _reference_words(references: Sequence[Mapping[str, Any]]) -> list[str]:
    if not references:
        return []
    first = (
        "A reference is a model that `sweep evaluate` has put beside the arms: its effect is its "
        "loss − the baseline's mean, on the same text; it gets no verdict, and the family does not "
        "count it."
    )
    return [
        first,
        *(
            f"{each['name']}: {each['test_loss']:.4f} nats per token, "
            f"{each['bits_per_byte']:.4f} bits per byte, {each['parameters']:,} parameters."
            for each in references
        ),
    ]


def _cost_of_settling(undecided: list[dict[str, Any]], *, imported: bool) -> str:
    """What stands beside an undecided arm, and what it costs, the cheapest first."""
    known = [row for row in undecided if row["seconds_to_settle"] is not None]
    known.sort(key=lambda row: float(row["seconds_to_settle"]))
    costs = [f"{row['arm']} {duration(row['seconds_to_settle'])}" for row in known[:MOST_COSTS]]
    more = ", …" if len(known) > MOST_COSTS else ""
    price = f"; training them one by one takes: {', '.join(costs)}{more}" if costs else ""
    how = "Import their losses too" if imported else "Raise design.seeds and run again"
    return (
        "(+n) n further seeds of the arm and the baseline settle it, four times in five"
        f"{price}. {how}."
    )
