"""The page of a report: answer, table of verdicts, figures, plan and provenance."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweep.figures.registry import FIGURES
from sweep.figures.source import Source
from sweep.pages.page import (
    Cell,
    Code,
    Facts,
    Notes,
    Page,
    PageFigure,
    PageTable,
    Part,
    Section,
)
from sweep.reports.answer import answer, provisional_lines
from sweep.reports.cost_text import cost_parts
from sweep.reports.document import Document, Table
from sweep.reports.evidence_text import confounder_lines, equal_loss_lines, mixed_attempt_lines
from sweep.reports.page_parts import plain_page, web_parts
from sweep.reports.provenance_text import provenance_facts
from sweep.store.rows import ArmRow
from sweep.study.names import BASELINE
from sweep.study.overrides import override_words
from sweep.terminal.printable import harmless, shown
from sweep.terminal.units import local_minute
from sweep.verdicts.judge import Report
from sweep.verdicts.test_text import MAX_RUNS
from trainer.words import counted

MAX_PLAN = 60_000
"""Characters of a stored plan that the page shows."""
COSTS = "What each arm costs"
NO_CONFOUNDERS = "None found: arms and baseline have the same device, code, packages and test text."


def with_page(document: Document, source: Source, arms: Sequence[ArmRow]) -> Document:
    """The document with its page."""
    return replace(document, page=lambda: verdict_page(document, source, arms))


def with_search_page(document: Document, source: Source) -> Document:
    """The document of a search with its page."""
    return replace(document, page=lambda: search_page(document, source))


def search_page(document: Document, source: Source) -> Page:
    """The page of a search, given its document: the figure of its trials, then its tables."""
    page = plain_page(document)
    return replace(page, sections=[*_figure_sections(source), *page.sections])


def verdict_page(document: Document, source: Source, arms: Sequence[ArmRow]) -> Page:
    """The page of a report, given its document and what its figures are made of."""
    report = source.report
    warnings = _warnings(report)
    parts = [part for part in document.shown_parts if part not in warnings]
    return Page(
        title=f"{_kind(report)} {harmless(report.study)}",
        answer=answer(report),
        lead=provisional_lines(report),
        warnings=[f"{counted(len(warnings), 'confounder')} may explain differences; see below."]
        if warnings
        else [],
        sections=[
            Section(title="Verdicts", parts=_verdict_parts(report, parts)),
            *_figure_sections(source),
            *_cost_sections(source),
            Section(title="Plan", parts=list(_plan_parts(report, arms))),
            Section(title="Provenance", parts=[Facts(items=provenance_facts(report))]),
            Section(title="Confounders", parts=[Notes(sentences=warnings or [NO_CONFOUNDERS])]),
            Section(title="How to reproduce", parts=list(_reproduction(report))),
        ],
        foot=f"The last result is of {local_minute(source.last_end)}." if source.last_end else "",
    )


def _kind(report: Report) -> str:
    return "Imported study" if report.imported else "Study"


def _warnings(report: Report) -> list[str]:
    facts = report.facts
    return [
        *confounder_lines(facts.confounders),
        *equal_loss_lines(facts.equal_losses),
        *mixed_attempt_lines(facts.mixed_attempts),
    ]


def _verdict_parts(report: Report, parts: Sequence[str | Table[Any]]) -> list[Part]:
    """The table of verdicts and what explains it; then each other table, between its sentences."""
    tables = [(place, part) for place, part in enumerate(parts) if isinstance(part, Table)]
    if not tables:
        return web_parts(parts)
    first, table = tables[0]
    # The sentence right above a table introduces it.
    end = max(tables[1][0] - 1, first + 1) if len(tables) > 1 else len(parts)
    sentences = [str(part) for part in (*parts[:first], *parts[first + 1 : end])]
    caption = f"Effects on {harmless(report.metric.words)}"
    return [
        *web_parts([table], caption),
        Notes(sentences=sentences, quiet=True),
        *web_parts(parts[end:], caption),
    ]


def _figure_sections(source: Source) -> Iterator[Section]:
    """A section for each figure that the study has."""
    for kind in FIGURES.values():
        if source.is_search and not kind.shows_trials:
            continue
        figure = kind.make(source)
        if figure is not None:
            caption = f"{kind.caption} {figure.left_out}".strip()
            part = PageFigure(figure=figure, caption=caption)
            yield Section(title=figure.title, parts=[part])


def _cost_sections(source: Source) -> Iterator[Section]:
    """A section on what the arms cost, if any run has recorded that."""
    report = source.report
    if len(report.evidence.frame) > MAX_RUNS or not source.costs.were_measured:
        return
    yield Section(
        title=COSTS, parts=web_parts(list(cost_parts(report, source.costs)), "Costs and verdicts")
    )


def _plan_parts(report: Report, arms: Sequence[ArmRow]) -> Iterator[Part]:
    plan, settings = report.plan, report.analysis
    seeds = [str(seed) for seed in report.seeds]
    shown_seeds = ", ".join(seeds) if len(seeds) <= 20 else f"{seeds[0]} to {seeds[-1]}"
    yield Facts(
        items=[
            ("Study", f"{harmless(report.study)}, from {harmless(_path(report))}"),
            ("Plan", f"`{report.plan_hash[:12]}`"),
            ("Seeds", shown_seeds or "as in the file"),
            (
                "Tests",
                f"alpha {settings.alpha:g}, {settings.correction}, over {counted(report.judgement.family, 'question')}",
            ),
            ("Smallest effect worth having", f"{settings.smallest_effect:g}"),
        ]
    )
    if any(arm.changes for arm in arms):
        yield PageTable(
            title="What each arm sets",
            headers=["arm", "sets"],
            numeric=[False, False],
            rows=[[Cell(text=harmless(arm.name)), Cell(text=_changes(arm))] for arm in arms],
        )
    text = json.dumps(plan.json, indent=1, ensure_ascii=False)
    if plan.json and len(text) <= MAX_PLAN:
        yield Code(title="The stored plan, with every recipe", text=text, folded=True)


def _changes(arm: ArmRow) -> str:
    if not arm.changes:
        return "" if arm.name != BASELINE else "nothing: this is the baseline"
    return ", ".join(f"{harmless(name)} = {shown(value)}" for name, value in arm.changes.items())


def _reproduction(report: Report) -> Iterator[Part]:
    commands = [f"sweep report {report.study} -o report.html"]
    if report.imported:
        yield "The results were imported: what trained them is not known here."
    else:
        yield (
            "The study file and the code at the commit above give these runs again. "
            f"{report.facts.reproducible.exactly} of them are equal to the last bit on the same device "
            "and version of torch."
        )
        commands.insert(0, _training_command(report))
    yield Code(title="Commands", text="\n".join(commands))


def _training_command(report: Report) -> str:
    trained = ["run", _path(report)] if report.stack is None else ["stack", report.stack.of]
    return shlex.join(["sweep", *trained, *override_words(report.plan.overrides)])


def _path(report: Report) -> str:
    """The study's file, from the working folder if it is there: a page is read elsewhere."""
    path = Path(report.path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else report.path
