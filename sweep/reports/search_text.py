"""The results of a search as a document, and as a part of the report on the tuned arms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from analysis.tables.table import Column, Row, number, signed
from sweep.design.search import TUNED
from sweep.errors import listed
from sweep.reports.document import Document, Table
from sweep.reports.verdict_columns import TableRow
from sweep.searching.results import ArmSearch, SearchResult, TunedSetting, Tuning
from sweep.searching.trials import Outcome, Trial
from sweep.terminal.printable import shown
from trainer.words import counted

BEST_TRIALS = 5
"""Trials that a table shows."""
OUTCOMES: Mapping[Outcome, str] = {
    Outcome.COMPLETE: "complete",
    Outcome.PRUNED: "pruned",
    Outcome.RUNNING: "not ended",
    Outcome.FAILED: "failed or cancelled",
    Outcome.REFUSED: "with values that do not fit together",
}


def search_document(result: SearchResult) -> Document:
    """The document of a search; its CSV has a record for each trial."""
    return Document(
        content={"study": result.study, "search": search_json(result)},
        records=[record for arm in result.arms for record in _records(arm)],
        parts=[
            f"{result.study}: the search of {result.of}, by trials on seeds that no verdict uses.",
            *search_parts(result),
        ],
    )


def search_parts(result: SearchResult) -> list[str | Table[Any]]:
    """Sentences and tables on each arm's search."""
    short = short_fields([*result.search.fields])
    return [part for arm in result.arms for part in _arm_parts(arm, result, short)]


def _arm_parts(
    arm: ArmSearch, result: SearchResult, short: Mapping[str, str]
) -> Iterator[str | Table[Any]]:
    counts = [f"{arm.counts[each]} {words}" for each, words in OUTCOMES.items() if arm.counts[each]]
    rest = arm.planned - len(arm.trials)
    counts += [f"{rest} to come"] if rest > 0 else []  # fewer trials may be asked for later
    seeds = counted(result.search.seeds_per_trial, "seed")
    yield (
        f"Search for {arm.arm}: {counted(arm.planned, 'trial')} of {result.search.sampler} with "
        f"{seeds} each, {listed(counts)}."
    )
    if arm.ranked:
        yield Table(_columns(short), arm.ranked[:BEST_TRIALS])
    if arm.importance:
        shares = [f"{short[name]} {share:.2f}" for name, share in arm.importance.items()]
        yield f"Importance of the fields (PED-ANOVA): {', '.join(shares)}."
    if steps := list(_improvements(arm)):
        yield f"Best so far: {', '.join(steps)}."


def _columns(short: Mapping[str, str]) -> list[Column[Trial]]:
    def of_field(name: str) -> Column[Trial]:
        return Column(short[name], lambda trial: value_text(trial.values.get(name)))

    return [
        Column("best trials", lambda trial: trial.name, "left"),
        Column("result", lambda trial: number(trial.value)),
        *(of_field(name) for name in short),
    ]


def _improvements(arm: ArmSearch) -> Iterator[str]:
    """Each trial that was better than all before it: `4.4977 (trial 1)`."""
    before: float | None = None
    for trial, best in zip(arm.trials, arm.best_so_far, strict=True):
        if best is not None and best != before:
            yield f"{best:.4f} (trial {trial.number})"
        before = best


def _records(arm: ArmSearch) -> Iterator[Row]:
    for trial, best in zip(arm.trials, arm.best_so_far, strict=True):
        yield {
            "arm": trial.arm,
            "trial": trial.number,
            "outcome": trial.outcome.name.lower(),
            "value": _finite(trial.value),
            "best_so_far": best,
            "pruned_at": trial.pruned_at,
            **trial.values,
        }


def search_json(result: SearchResult) -> dict[str, Any]:
    """JSON values of a search."""
    return {
        "study": result.study,
        "sampler": result.search.sampler,
        "pruner": result.search.pruner,
        "seeds": list(result.search.seeds),
        "arms": [
            {
                "arm": arm.arm,
                "planned": arm.planned,
                "importance": arm.importance,
                "trials": [_trial_json(trial) for trial in arm.trials],
                "best": [trial.number for trial in arm.ranked[:BEST_TRIALS]],
                "best_so_far": arm.best_so_far,
            }
            for arm in result.arms
        ],
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "name": trial.name,
        "values": dict(trial.values),
        "outcome": trial.outcome.name.lower(),
        "value": _finite(trial.value),
        "pruned_at": trial.pruned_at,
        "runs": [run.run_id for run in trial.runs],
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def tuned_json(settings: Sequence[TunedSetting]) -> list[dict[str, Any]]:
    """JSON values of the tuned settings."""
    return [{**asdict(each), "optimism": each.optimism} for each in settings]


def tuned_columns(tuning: Tuning) -> list[Column[TableRow]]:
    """The column of a report with tuned values: `learning_rate 0.0018 (baseline 0.0011)`."""
    cells = {each.arm: _tuned_words(each) for each in tuning.settings}
    return [Column("tuned", lambda row: cells.get(row.name, ""), "left", spare=6)] if cells else []


def _tuned_words(setting: TunedSetting) -> str:
    short = short_fields([*setting.values])
    words = []
    for name, value in setting.values.items():
        of_baseline = setting.baseline.get(name)
        beside = f" (baseline {value_text(of_baseline)})" if setting.baseline else ""
        words.append(f"{short[name]} {value_text(value)}{beside}")
    return ", ".join(words)


def tuned_lines(settings: Sequence[TunedSetting]) -> list[str]:
    """Sentences on the settings, and on the optimism of the search."""
    lines = [
        f"{'' if each.arm == TUNED else f'{each.arm}, '}tuned: {_tuned_words(each)}."
        for each in settings
    ]
    return lines + [
        f"Optimism of the search: {each.arm} had {each.best_seen:.4f} on the seeds of the search "
        f"(trial {each.trial}, its best) and has {each.confirmed:.4f} on fresh seeds, "
        f"{signed(each.optimism)}."
        for each in settings
        if each.confirmed is not None
    ]


def tuning_parts(tuning: Tuning) -> list[str | Table[Any]]:
    """Sentences and tables on the search of tuned arms, for the end of a report."""
    parts = search_parts(tuning.result) if tuning.result else []
    return [*tuned_lines(tuning.settings), *parts]


def tuning_json(tuning: Tuning) -> dict[str, Any] | None:
    """JSON values of the search behind a report; None without one."""
    if tuning.result is None:
        return None
    return {"tuned": tuned_json(tuning.settings), **search_json(tuning.result)}


def short_fields(names: Sequence[str]) -> dict[str, str]:
    """The last part of each field's name, if no other field has the same."""
    last = {name: name.rpartition(".")[2] for name in names}
    return {name: end if [*last.values()].count(end) == 1 else name for name, end in last.items()}


def value_text(value: Any) -> str:  # noqa: ANN401  (a value of any field)
    """A value in a sentence: numbers with three digits."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else shown(value).strip("'")
