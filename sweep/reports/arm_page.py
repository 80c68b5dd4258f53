"""The page of an arm: what it sets, its verdict and how that came, its seeds, and its curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.tables.table import Column, interval_text, number, probability, signed
from sweep.reports.cost_text import cost_facts
from sweep.reports.document import Table
from sweep.reports.page import Facts, Part, Plot
from sweep.reports.plot import Series
from sweep.reports.run_page import changed_words
from sweep.reports.stopped_text import evidence_words
from sweep.reports.verdict_columns import verdict_cell
from sweep.store.find_run import seed_words
from sweep.store.states import RunState
from sweep.terminal.units import supported_decimals, two_digits
from sweep.verdicts.arm_changes import Changed
from sweep.verdicts.arm_costs import ArmCost
from sweep.verdicts.decimals import arm_mean_decimals, decimals
from sweep.verdicts.judge import ArmReport, Report
from trainer.words import capitalized, counted

BASIS_WORDS = {
    "planned": "the planned seeds",
    "provisional": "a part of the planned seeds: it may change until all have ended",
    "looks": "an e-value, which holds at every look",
    "race": "the rounds of a race",
}

WAITING = {RunState.QUEUED, RunState.RUNNING}
"""States of the seeds that are told in one sentence."""


@dataclass(frozen=True, kw_only=True)
class SeedRow:
    """A seed of an arm, beside the baseline's run of the same seed."""

    seed: int
    state: str
    value: float | None
    baseline: float | None

    @property
    def difference(self) -> float | None:
        """Arm minus baseline."""
        if self.value is None or self.baseline is None:
            return None
        return self.value - self.baseline


@dataclass(frozen=True, kw_only=True)
class ArmFactsheet:
    """All that an arm's page says."""

    report: Report
    arm: ArmReport
    changes: Sequence[Changed]
    reasons: Sequence[str]
    seeds: Sequence[SeedRow]
    differences: Mapping[int, float]
    """Mean difference to the baseline along training, by step, over the seeds that both have."""
    curve: str
    """What differs: `training loss`, or a metric of a script."""
    pairs: int
    """Number of those seeds."""
    cost: ArmCost


def arm_page(sheet: ArmFactsheet) -> list[Part]:
    """The page, from the verdict to the curves."""
    report, arm = sheet.report, sheet.arm
    is_baseline = arm.name == report.arms[0].name
    digits = decimals(report)
    parts: list[Part] = [_headline(sheet, is_baseline=is_baseline), Facts(list(_facts(sheet)))]
    if not is_baseline:
        parts += ["", "How the verdict came:", Facts(list(_reasoning(sheet)))]
    columns = _baseline_columns(digits) if is_baseline else _seed_columns(digits)
    shown = [row for row in sheet.seeds if row.state not in WAITING]
    parts += [Table(columns, shown)] if shown else []
    waiting = [row.seed for row in sheet.seeds if row.state in WAITING]
    parts += [f"Not done yet: {seed_words(waiting)}."] if waiting else []
    if sheet.differences:
        steps, values = list(sheet.differences), list(sheet.differences.values())
        seeds = counted(sheet.pairs, "seed")
        title = f"{capitalized(sheet.curve)} minus the baseline's, mean over {seeds}"
        parts.append(Plot(title, [Series(arm.name, steps, values)], signed=True))
    return [*parts, "", *_further(sheet, is_baseline=is_baseline)]


def _headline(sheet: ArmFactsheet, *, is_baseline: bool) -> str:
    report, arm = sheet.report, sheet.arm
    unit = report.metric.name
    if is_baseline:
        mean = "" if arm.mean_loss is None else f": mean {unit} {_mean(sheet)}"
        return f"{arm.name}, the baseline of {report.study}{mean}."
    verdict = verdict_cell(arm) or "not judged yet"
    if arm.effect is None:
        return f"{arm.name} of {report.study}: {verdict}."
    digits = supported_decimals(*arm.interval, decimals(report))
    interval = interval_text(*arm.interval, digits).replace(", ", " to ")
    return (
        f"{arm.name} of {report.study}: {verdict}. Effect on {unit.replace('_', ' ')}: "
        f"{signed(arm.effect, digits)}{f', adjusted interval {interval}' if interval else ''}."
    )


def _facts(sheet: ArmFactsheet) -> Iterator[tuple[str, str]]:
    result = sheet.arm.result
    yield "sets", ", ".join(map(changed_words, sheet.changes))
    yield "because", " ".join(sheet.reasons)
    yield "combines", ", ".join(sheet.arm.interventions) if len(sheet.arm.interventions) > 1 else ""
    stopped = sheet.arm.stopped.runs if sheet.arm.stopped else 0
    total = result.n_ended + result.n_missing + stopped
    words = [f"{result.n_done} of {counted(total, 'run')} done"]
    words += [f"{stopped} stopped"] if stopped else []
    words += [f"{result.n_diverged} diverged"] if result.n_diverged else []
    words += [f"{result.n_failed} failed"] if result.n_failed else []
    yield "runs", ", ".join(words)
    if result.mean is not None:
        spread = "" if result.sd is None else f", sd {two_digits(result.sd)}"
        yield "mean", f"{_mean(sheet)}{spread}"
    yield from cost_facts(sheet.cost)


def _mean(sheet: ArmFactsheet) -> str:
    most = decimals(sheet.report)
    return number(sheet.arm.mean_loss, arm_mean_decimals(sheet.arm, most))


def _reasoning(sheet: ArmFactsheet) -> Iterator[tuple[str, str]]:
    result, report = sheet.arm.result, sheet.report
    yield "test", _test_words(sheet)
    if result.p is not None:
        adjusted = probability(result.p_adjusted)
        yield (
            "p",
            (
                f"{probability(result.p)}; adjusted by {report.analysis.correction} over a family of "
                f"{report.judgement.family}: {adjusted} (alpha {report.analysis.alpha:g})"
            ),
        )
    if size := _size_words(sheet):
        yield "size", size
    if result.pairing_gain is not None and result.correlation is not None:
        yield (
            "pairing",
            (
                f"correlation {result.correlation:.2f}: a pair replaces {result.pairing_gain:.3g} "
                "unpaired seeds"
            ),
        )
    yield "rests on", BASIS_WORDS.get(str(result.basis), "")
    yield (
        "other tests",
        "give another verdict: `sweep report --details`" if result.sensitive else "",
    )
    if sheet.arm.stopped:
        decision = sheet.arm.stopped.decision
        yield "stopped", f"{decision.words}: {evidence_words(decision)}"
    if result.seeds_to_settle:
        yield (
            "to settle",
            (
                f"{counted(result.seeds_to_settle, 'more seed')} with a chance of "
                f"{result.chance_to_settle or 0:.0%}: `sweep settle {sheet.arm.name}`"
            ),
        )


def _test_words(sheet: ArmFactsheet) -> str:
    result = sheet.arm.result
    if result.method is None:
        return "none: too few runs" if result.verdict == "undecided" else ""
    pairs = f" over {counted(result.n_shared or 0, 'pair')}" if "paired" in result.method else ""
    freedom = "" if result.df is None else f", {result.df:.3g} degrees of freedom"
    error = (
        ""
        if result.standard_error is None
        else f", standard error {two_digits(result.standard_error)}"
    )
    return f"{result.method}{pairs}{error}{freedom}"


def _seed_columns(digits: int) -> list[Column[SeedRow]]:
    return [
        Column("seed", lambda row: str(row.seed)),
        Column("arm", lambda row: number(row.value, digits)),
        Column("baseline", lambda row: number(row.baseline, digits)),
        Column("difference", lambda row: signed(row.difference, digits)),
        Column("state", lambda row: row.state, "left"),
    ]


def _baseline_columns(digits: int) -> list[Column[SeedRow]]:
    return [
        Column("seed", lambda row: str(row.seed)),
        Column("value", lambda row: number(row.value, digits)),
        Column("state", lambda row: row.state, "left"),
    ]


def _further(sheet: ArmFactsheet, *, is_baseline: bool) -> list[str]:
    study, arm = sheet.report.study, sheet.arm.name
    first = sheet.seeds[0].seed if sheet.seeds else 1
    lines = [f"`sweep show {arm}/{first} --study {study}` shows one of its runs."]
    if not is_baseline:
        baseline = sheet.report.arms[0].name
        lines.append(
            f"`sweep compare {baseline} {arm} --study {study}` compares gradients, clipping and text."
        )
    return lines


def _size_words(sheet: ArmFactsheet) -> str | None:
    """A sentence part on the smallest effect; None if the study has none."""
    result, settings = sheet.arm.result, sheet.report.analysis
    if not settings.smallest_effect or result.p_negligible_adjusted is None:
        return None
    shown = "is" if result.p_negligible_adjusted < settings.alpha else "is not"
    return (
        f"{shown} shown to lie within ±{settings.smallest_effect:g} "
        f"(adjusted p {probability(result.p_negligible_adjusted)})"
    )
