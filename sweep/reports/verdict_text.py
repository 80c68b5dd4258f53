"""A report as a document: its table, and the sentences above and below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from analysis.multiplicity import CORRECTIONS
from analysis.tables.table import Column
from sweep.errors import listed
from sweep.reports.basis_text import basis_lines, race_lines
from sweep.reports.details_text import details_json, details_parts
from sweep.reports.divergence_text import any_diverged, unstable_lines
from sweep.reports.document import Document, Table
from sweep.reports.effects_text import cells_table, effect_parts
from sweep.reports.evidence_text import (
    chunk_effect_lines,
    confounder_lines,
    equal_loss_lines,
    mixed_attempt_lines,
    reference_lines,
    reproducible_lines,
    split_lines,
)
from sweep.reports.guard_text import guard_columns, guard_parts, unanswered_guards
from sweep.reports.pairing_text import pairing_lines
from sweep.reports.plan_history import growth_lines, plan_lines, withdrawn_lines
from sweep.reports.provenance_text import sharing_lines
from sweep.reports.question_text import question_parts
from sweep.reports.run_lines import run_lines
from sweep.reports.search_text import tuned_columns, tuning_json, tuning_parts
from sweep.reports.seeds_text import (
    mean_words,
    sd_interval,
    sd_words,
    seeds_of,
    shared_seed_lines,
)
from sweep.reports.settling_text import settling_lines
from sweep.reports.steps_text import step_parts
from sweep.reports.stopped_text import stopped_lines
from sweep.reports.verdict_columns import (
    SEEDS_UNKNOWN,
    TableRow,
    verdict_columns,
)
from sweep.reports.verdict_json import report_json, report_records
from sweep.searching.results import NOT_TUNED, Tuning
from sweep.study.overrides import shown_overrides
from sweep.terminal.printable import shown
from sweep.verdicts.decimals import decimals
from sweep.verdicts.judge import ArmReport, Report
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.details import Details


def report_document(
    report: Report, details: Details | None = None, tuning: Tuning = NOT_TUNED
) -> Document:
    """The document of a report; its CSV has a record for each row of the table."""
    further = details_parts(details, report.analysis.alpha) if details else ()
    search = {"search": tuning_json(tuning)} if tuning.result else {}
    return Document(
        content={
            **report_json(report),
            "details": details_json(details) if details else None,
            **search,
        },
        records=report_records(report),
        names=[arm.name for arm in report.arms],
        parts=[
            *preamble(report),
            *_tables(report, tuning),
            *question_parts(report),
            *further,
            *tuning_parts(tuning),
        ],
    )


def _tables(report: Report, tuning: Tuning) -> list[str | Table[Any]]:
    """The arms with their verdicts, and the effects of a design; of a factorial, means and effects."""
    effects = effect_parts(report.effects, decimals(report)) if report.effects else []
    if report.factorial:
        return [
            *effects,
            cells_table(report.arms, decimals(report)),
            *missing_lines(report),
            *unanswered_guards(report),
        ]
    rows: list[TableRow] = [*report.arms, *report.references]
    table = Table([*columns_of(report), *tuned_columns(tuning)], rows)
    steps = step_parts(report)
    return [table, *footnotes(report), *guard_parts(report), *effects, *steps]


def columns_of(report: Report) -> list[Column[TableRow]]:
    """The columns of the table: the verdict, then a column for each guard."""
    columns = verdict_columns(diverged=any_diverged(report), digits=decimals(report))
    if len(report.guards) > 1:  # on a narrow terminal, answers go before intervals
        columns = [replace(c, spare=6) if c.title == "adj. interval" else c for c in columns]
    place = 1 + [column.title for column in columns].index("verdict")
    return [*columns[:place], *guard_columns(report), *columns[place:]]


def preamble(result: Report) -> list[str]:
    """The sentences above the table."""
    settings, noise = result.analysis, result.judgement.noise
    lines = metric_lines(result)
    if (correction := CORRECTIONS[settings.correction]).is_exploratory:
        lines.append(correction.description)
    if noise is not None:
        lines.append(
            f"Baseline: mean {mean_words(noise)}, sd {sd_words(noise)} over {seeds_of(noise, imported=result.imported)} "
            f"(95% interval of the sd {sd_interval(noise)})."
        )
    lines += shared_seed_lines(result.judgement)
    if (known := result.noise_on_record) is not None:
        lines.append(f"Noise on record: sd {sd_words(known.noise)} ({known.source}).")
        lines += [known.warning] if known.warning else []
    family = "" if result.factorial else f" over a family of {result.judgement.family}"
    lines.append(
        f"alpha {settings.alpha:g}, {settings.correction}{family}; smallest effect worth having "
        f"{settings.smallest_effect:g}; plan {result.plan_hash[:12]}."
    )
    lines += interval_lines(result)
    if result.plan.overrides:
        lines.append(f"Overridden on the command line: {shown_overrides(result.plan.overrides)}.")
    if result.stack:
        of, promise = result.stack.of, result.stack.promised_effect
        lines.append(
            f"The stack of {of}, which promised {promise:+.4f}; `sweep stack {of}` compares."
        )
    lines += split_lines(result.evidence.provenances)
    lines += chunk_effect_lines(result.chunk_effects)
    lines += baseline_lines(result.arms) + pairing_lines(result)
    lines += plan_lines(result.history) + growth_lines(result.family_growth)
    lines += confounder_lines(result.facts.confounders)
    lines += equal_loss_lines(result.facts.equal_losses)
    return [*lines, *mixed_attempt_lines(result.facts.mixed_attempts)]


def metric_lines(report: Report) -> list[str]:
    """Says which metric was judged, and if that is not what the study is about."""
    metric = report.metric
    what = metric.words if metric.title != metric.name else shown(metric.name)
    better = report.direction.better
    effect = "effects" if report.factorial else "effect = arm − baseline"
    lines = [f"{report.study}: {effect} in {what}; {better} is better."]
    if not report.is_primary:
        lines.append(
            f"{shown(metric.name)} is not the study's primary metric, which is "
            f"{shown(report.primary.name)}: claims about it were not planned."
        )
    if report.evidence.lacking:
        runs = counted(report.evidence.lacking, "run")
        lines.append(f"{runs} without {shown(metric.name)}, counted as failed.")
    return lines


def interval_lines(report: Report) -> list[str]:
    """Says which intervals the table shows; empty if it shows none."""
    if all(arm.result.ci_level is None for arm in report.arms):
        return []
    settings = report.analysis
    delta = (
        f", within ±{settings.smallest_effect:g} if negligible" if settings.smallest_effect else ""
    )
    return [
        f"Intervals are adjusted as p is: without zero where p adj. < {settings.alpha:g}{delta}."
    ]


def baseline_lines(arms: Sequence[ArmReport]) -> list[str]:
    """Says that no arm can be judged if the baseline has no loss and no run of it is to come."""
    baseline = arms[0].result
    ended = {"failed": baseline.n_failed, "diverged": baseline.n_diverged}
    if baseline.n_done or baseline.n_missing or not any(ended.values()):
        return []
    why = listed(f"{number} {state}" for state, number in ended.items() if number)
    line = (
        f"{baseline.arm} has no result ({why} of {counted(sum(ended.values()), 'run')}): there is "
        "nothing to compare the arms with. `sweep status` says why."
    )
    return [line]


def footnotes(report: Report) -> list[str]:
    """The sentences below the table."""
    if len(report.arms) == 1:
        noise = f"`sweep noise {report.study}` measures its noise"
        return [f"The study has one arm, and nothing to compare it with; {noise}."]
    undecided = [arm for arm in report.arms if arm.result.verdict == "undecided"]
    tested = [arm for arm in undecided if arm.result.runs_to_test is None]
    lines = [
        *basis_lines(report),
        *race_lines(report),
        *_mark_lines(report),
        *stopped_lines(report.arms),
        *run_lines(report.judgement),
    ]
    lines += withdrawn_lines(report.history)
    lines += missing_lines(report)
    lines += settling_lines(report)
    unknown = [arm for arm in tested if not (arm.has_yet_to_run or arm.lacks_baseline)]
    if any(arm.result.ci_low is None for arm in unknown):
        lines.append(f"({SEEDS_UNKNOWN}) The runs so far show no noise to estimate that from.")
    return [
        *lines,
        *reproducible_lines(report.facts.reproducible),
        *sharing_lines(report.evidence.provenances),
        *reference_lines(report.references),
    ]


def missing_lines(report: Report) -> list[str]:
    """Says how many runs are still to be trained; empty if none is."""
    missing = sum(arm.result.n_missing for arm in report.arms)
    if not missing:
        return []
    what = (
        "had not ended when the file was exported"
        if report.imported
        else f"{'is' if missing == 1 else 'are'} still to be trained"
    )
    provisional = any(arm.result.basis == "provisional" for arm in report.arms)
    end = ": these verdicts are provisional" if provisional else ""
    return [f"{counted(missing, 'run')} {what}{end}."]


def _mark_lines(report: Report) -> list[str]:
    """Explanations of the marks that occur in the table."""
    arms, lines = report.arms, []
    if any(arm.result.real_but_negligible for arm in arms):
        lines.append("(real) The effect is not zero, but shown to be smaller than is worth having.")
    if any(arm.result.sensitive for arm in arms):
        lines.append("* another test gives another verdict: see p_... in --format json.")
    if any(arm.text.rests_on_few_chunks for arm in arms):
        lines.append(
            "† may not hold on other text: the effect differs much between chunks of the test text, "
            "or few of them determine its sign."
        )
    if any(arm.result.n_diverged and arm.result.mean is not None for arm in arms):
        lines.append("Means are over the runs that converged.")
    return [*lines, *unstable_lines(report)]
