"""The page that compares two studies: their baselines, and the verdicts on arms that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.tables.table import Column, interval_text, number, signed
from sweep.errors import listed
from sweep.reports.comparison_page import recipe_table
from sweep.reports.document import Table
from sweep.reports.page import Part
from sweep.reports.verdict_columns import verdict_cell
from sweep.terminal.units import supported_decimals
from sweep.verdicts.arm_changes import Changed, recipe_changes
from sweep.verdicts.decimals import arm_mean_decimals, decimals
from sweep.verdicts.judge import ArmReport, Report


@dataclass(frozen=True, kw_only=True)
class SharedArm:
    """An arm that both studies have."""

    first: ArmReport
    second: ArmReport


def studies_page(first: Report, second: Report) -> list[Part]:
    """The page, from the baselines to the arms that only one study has."""
    one, other = first.study, second.study
    changes = baseline_changes(first, second)
    parts: list[Part] = [f"{other} against {one}.", *_means(first, second)]
    if changes:
        parts += ["", "Baselines differ in:", recipe_table(one, other, changes)]
    else:
        parts.append("The baselines have the same recipe.")
    shared = shared_arms(first, second)
    if shared:
        parts += ["", "Arms that both have:", Table(_columns(first, second), shared)]
    for report, others in ((first, second), (second, first)):
        names = [arm.name for arm in report.arms[1:] if arm.name not in _names(others)]
        if names:
            parts.append(f"Only in {report.study}: {listed(names)}.")
    return parts


def studies_json(first: Report, second: Report) -> dict[str, Any]:
    """JSON values of the comparison."""
    return {
        "first": first.study,
        "second": second.study,
        "changes": [vars(each) for each in baseline_changes(first, second)],
        "arms": [
            {"arm": arm.first.name, "first": _arm_json(arm.first), "second": _arm_json(arm.second)}
            for arm in shared_arms(first, second)
        ],
    }


def baseline_changes(first: Report, second: Report) -> Sequence[Changed]:
    """The fields in which the baselines differ; empty if one of the studies is an import."""
    recipes = [report.plan.arms.get(report.plan.baseline) for report in (first, second)]
    if not all(isinstance(recipe, Mapping) for recipe in recipes):
        return []
    return recipe_changes(*recipes)  # type: ignore[arg-type]


def shared_arms(first: Report, second: Report) -> list[SharedArm]:
    """The arms, other than the baselines, that both have under the same name."""
    theirs = {arm.name: arm for arm in second.arms[1:]}
    return [
        SharedArm(first=arm, second=theirs[arm.name])
        for arm in first.arms[1:]
        if arm.name in theirs
    ]


def _names(report: Report) -> set[str]:
    return {arm.name for arm in report.arms}


def _means(first: Report, second: Report) -> list[str]:
    """A sentence with the means of the baselines, if they are in the same metric."""
    means = first.arms[0].mean_loss, second.arms[0].mean_loss
    if first.metric != second.metric or None in means:
        return []
    digits, baselines = decimals(first), [(each.study, each.arms[0]) for each in (first, second)]
    words = [
        f"{number(arm.mean_loss, arm_mean_decimals(arm, digits))} in {study}"
        for study, arm in baselines
    ]
    return [f"Mean {first.metric.name.replace('_', ' ')} of the baseline: {listed(words)}."]


def _columns(first: Report, second: Report) -> list[Column[SharedArm]]:
    columns: list[Column[SharedArm]] = [Column("arm", lambda row: row.first.name, "left")]
    return [*columns, *_of(first, is_first=True), *_of(second, is_first=False)]


def _of(report: Report, *, is_first: bool) -> list[Column[SharedArm]]:
    most, name = decimals(report), report.study

    def side(row: SharedArm) -> ArmReport:
        return row.first if is_first else row.second

    def digits(row: SharedArm) -> int:
        return supported_decimals(*side(row).interval, most)

    return [
        Column(f"effect in {name}", lambda row: signed(side(row).effect, digits(row))),
        Column("interval", lambda row: interval_text(*side(row).interval, digits(row)), spare=1),
        Column("verdict", lambda row: verdict_cell(side(row)), "left"),
    ]


def _arm_json(arm: ArmReport) -> dict[str, Any]:
    low, high = arm.interval
    return {
        "effect": arm.effect,
        "ci_low_adjusted": low,
        "ci_high_adjusted": high,
        "verdict": arm.result.verdict,
    }
