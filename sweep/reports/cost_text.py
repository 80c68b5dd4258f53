"""What each arm costs, beside its verdict: a table, sentences, JSON, and facts of an arm's page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from analysis.tables.table import Column, verdict_style
from sweep.reports.document import Document, Table
from sweep.reports.verdict_columns import verdict_cell
from sweep.terminal.units import shown_size
from sweep.verdicts.arm_costs import ArmCost, StudyCosts
from sweep.verdicts.judge import Report
from trainer.words import counted

UNKNOWN = "No run of the study has recorded its speed, its memory or its parameters."
MILLION = 1e6


def with_costs(document: Document, report: Report, costs: StudyCosts) -> Document:
    """A report with what its arms cost."""
    content = {**document.content, "costs": costs_json(costs)}
    return replace(document, parts=[*document.parts, *cost_parts(report, costs)], content=content)


def costs_json(costs: StudyCosts) -> dict[str, Any]:
    """JSON values of the costs."""
    return {"runs_at_once": costs.at_once, "arms": [asdict(arm) for arm in costs.arms]}


def cost_parts(report: Report, costs: StudyCosts) -> Iterator[str | Table[ArmCost]]:
    """The table of costs, between the sentences that explain it."""
    if not costs.were_measured:
        yield UNKNOWN
        return
    yield (
        "What each arm costs. Time: per training token, over that of the baseline's run with the same "
        "seed; the median over seeds, and the range. The rest: medians over runs; peak memory is that "
        "of a run's processes."
    )
    yield Table(_columns(report), costs.arms)
    yield from _notes(costs)


def cost_facts(cost: ArmCost) -> Iterator[tuple[str, str]]:
    """The costs as facts with their names; unknown ones are empty."""
    times = []
    if cost.time_ratio is not None:
        times.append(
            f"{cost.time_ratio:.2f} times the baseline's per token ({_range(cost)} over "
            f"{counted(cost.seeds, 'seed')})"
        )
    if cost.tokens_per_second is not None:
        times.append(f"{cost.tokens_per_second:,.0f} tokens/s")
    yield "time", "; ".join(times)
    yield "peak memory", _memory(cost)
    size = [f"{_parameters(cost)} parameters"] if cost.parameters is not None else []
    if cost.flops_per_token is not None:
        size.append(f"{_operations(cost)} million operations per training token")
    yield "model", ", ".join(size)


def _columns(report: Report) -> list[Column[ArmCost]]:
    arms = {} if report.factorial else {arm.name: arm for arm in report.arms}
    return [
        Column("arm", lambda row: row.arm, "left"),
        Column("time", lambda row: "" if row.time_ratio is None else f"{row.time_ratio:.2f}"),
        Column("range", _range, spare=1),
        Column("tokens/s", _speed, spare=2),
        Column("memory", _memory),
        Column("parameters", _parameters, spare=3),
        Column("MFLOPs/token", _operations, spare=4),
        Column(
            "verdict",
            lambda row: verdict_cell(arms[row.arm]) if row.arm in arms else "",
            "left",
            style=lambda row: verdict_style(arms[row.arm].result.verdict if arms else None),
        ),
    ]


def _range(cost: ArmCost) -> str:
    if cost.time_ratio_low is None or cost.seeds < 2:
        return ""
    return f"{cost.time_ratio_low:.2f} to {cost.time_ratio_high:.2f}"


def _speed(cost: ArmCost) -> str:
    return "" if cost.tokens_per_second is None else f"{cost.tokens_per_second:,.0f}"


def _memory(cost: ArmCost) -> str:
    return "" if cost.peak_memory_bytes is None else shown_size(cost.peak_memory_bytes)


def _parameters(cost: ArmCost) -> str:
    return "" if cost.parameters is None else f"{cost.parameters:,.0f}"


def _operations(cost: ArmCost) -> str:
    return "" if cost.flops_per_token is None else f"{cost.flops_per_token / MILLION:,.2f}"


def _notes(costs: StudyCosts) -> Iterator[str]:
    if costs.at_once > 1 and any(arm.seeds for arm in costs.arms):
        yield (
            f"Up to {costs.at_once} runs were trained at the same time, and what else the machine did is "
            "in the times, too: trust a ratio as far as its range."
        )
    elsewhere = sum(arm.seeds_elsewhere for arm in costs.arms)
    if elsewhere:
        yield (
            f"{counted(elsewhere, 'pair')} of runs left out of the times: trained on other hardware, or "
            "with another number of threads or processes, or it is not known where."
        )
