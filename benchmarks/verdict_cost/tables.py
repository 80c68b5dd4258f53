"""The costs as Markdown: a row per way of working, or a row per intervention."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.promises import Promise
from benchmarks.verdict_cost.costs import MOST, USUAL, Cost, Meter, Truth
from benchmarks.verdict_cost.record import Record
from benchmarks.verdict_cost.ways import FIXED
from trainer.words import counted

Floats = NDArray[np.float64]

AIM = 0.1
"""The aim: the median intervention takes at most this share of Welch's runs, and none takes more."""
OURS = ("paired, moderated", "race")
"""The ways that the aim is for."""
LABELS = {
    "Welch": "Welch's t, as many seeds as it takes",
    "paired, moderated": "paired t, moderated (the default)",
    "race": "race",
}
"""Names of ways in tables, where they differ from those of `Cost`."""
BEGIN, END = "<!-- cost of a verdict, {} -->", "<!-- end of the cost of a verdict -->"


@dataclass(frozen=True)
class Figures:
    """Everything that was measured."""

    record: Record
    truth: Truth
    one_run: Floats
    """Share of studies in which one run of each arm has the right sign."""
    usual: Floats
    """Share of studies in which Welch's t with `USUAL` seeds is right."""
    costs: list[Cost]

    @classmethod
    def measured(cls, record: Record, studies: int) -> Figures:
        """Measure all ways on `studies` drawn studies."""
        meter = Meter(record, studies)
        costs = [*(meter.fixed(name) for name in FIXED), meter.raced(), *meter.fractions()]
        return cls(record, meter.truth, meter.one_run(), meter.power(FIXED["Welch"], USUAL), costs)

    @property
    def shown(self) -> NDArray[np.bool_]:
        """True for interventions with an effect."""
        return np.asarray(self.truth.signs != 0)

    def ratios(self, way: str) -> Floats:
        """Runs over Welch's, by intervention with an effect; at most that where Welch's are unknown."""
        runs = {cost.way: cost.runs[self.shown] for cost in self.costs}
        known = np.minimum(runs["Welch"], (1 + len(self.record.arms)) * MOST)
        return np.asarray(runs[way] / known, float)

    def promises(self) -> list[Promise]:
        """The aim, for each of our ways."""
        if not self.shown.any():
            return [Promise("interventions with an effect that is shown", 1, 0)]
        return [
            promise
            for way in OURS
            for promise in (
                Promise(
                    f"runs over Welch's, {way}, median intervention",
                    AIM,
                    float(np.median(self.ratios(way))),
                    at_most=True,
                ),
                Promise(
                    f"runs over Welch's, {way}, worst intervention",
                    1.0,
                    float(self.ratios(way).max()),
                    at_most=True,
                ),
            )
        ]


BRIEF = ("Welch", *OURS)
"""The ways in the table of README.md, beside those with a fixed number of runs."""


def by_way(figures: Figures, title: str, ways: Collection[str] | None = None) -> str:
    """A row for each way: its error, and the runs of the study until a verdict is right."""
    rows = [
        ["one run per arm, the lower loss wins", "1.00", _right_in(figures, figures.one_run)],
        [
            f"Welch's t, {USUAL} seeds ({USUAL * (1 + len(figures.record.arms))} runs)",
            f"{figures.costs[0].error:.2f}",
            _right_in(figures, figures.usual),
        ],
        *(
            [LABELS.get(cost.way, cost.way), f"{cost.error:.2f}", _summary(figures, cost)]
            for cost in figures.costs
            if ways is None or cost.way in ways
        ),
    ]
    return _table([title, "false alarms", "runs of the study: median (range)"], rows)


def blocks(figures: Figures) -> dict[str, str]:
    """The generated texts of the pages, by the name in their mark."""
    effects = counted(int(figures.shown.sum()), "effect")
    size = f"{effects}, {counted(len(figures.record.losses), 'recorded seed')}"
    return {
        "short": by_way(figures, size, BRIEF),
        "full": "\n\n".join(
            [
                by_way(figures, size),
                by_intervention(figures),
                "\n".join(f"- {promise.text()}" for promise in figures.promises()),
            ]
        ),
    }


def by_intervention(figures: Figures) -> str:
    """A row for each intervention: seeds of the arm, and in brackets runs of the study."""
    head = [
        "intervention",
        "effect",
        "one run",
        f"Welch, {USUAL} seeds",
        *(cost.way for cost in figures.costs),
    ]
    rows = [
        [
            arm,
            f"{figures.record.effects[i]:+.4f} ± {_errors(figures.record)[i]:.4f}",
            *(
                [f"{share[i]:.2f}" for share in (figures.one_run, figures.usual)]
                if figures.shown[i]
                else ["1.00 †", f"{figures.costs[0].errors[i]:.3f} †"]
            ),
            *(_cell(cost, i, shown=bool(figures.shown[i])) for cost in figures.costs),
        ]
        for i, arm in enumerate(figures.record.arms)
    ]
    return _table(head, rows)


def replace_blocks(path: Path, texts: Mapping[str, str]) -> int:
    """Replace the generated texts of a page by new ones; returns how many it has."""
    text, found = path.read_text(), 0
    for name, new in texts.items():
        before, mark, after = text.partition(BEGIN.format(name))
        if mark and END in after:
            text = f"{before}{mark}\n{new}\n{END}{after.partition(END)[2]}"
            found += 1
    path.write_text(text)
    return found


def _right_in(figures: Figures, shares: Floats) -> str:
    shown = shares[figures.shown]
    low, middle, high = np.quantile(shown, [0, 0.5, 1]) if shown.size else [np.nan] * 3
    return f"right in {middle:.0%} ({low:.0%} to {high:.0%}) of studies"


def _summary(figures: Figures, cost: Cost) -> str:
    """`50 (30 to 2,450)`; of interventions that the way can have."""
    runs = np.sort(cost.runs[figures.shown & ~np.isnan(cost.runs)])
    if not runs.size:
        return "-"
    # An even number of interventions has two middle ones; infinite ones have no mean.
    low, middle, high = runs[0], runs[runs.size // 2], runs[-1]
    return f"{_number(middle, cost)} ({_number(low, cost)} to {_number(high, cost)})"


def _cell(cost: Cost, i: int, *, shown: bool) -> str:
    if not shown:
        return "-" if np.isnan(cost.errors[i]) else f"{cost.errors[i]:.3f} †"
    if np.isnan(cost.seeds[i]):
        return "-"
    if np.isinf(cost.seeds[i]):
        return f"over {cost.most:,}"
    return f"{cost.seeds[i]:,.0f} ({cost.runs[i]:,.0f})"


def _number(runs: float, cost: Cost) -> str:
    return f"over {cost.most:,} seeds" if np.isinf(runs) else f"{runs:,.0f}"


def _errors(record: Record) -> Floats:
    """Standard errors of the recorded effects."""
    return np.asarray(record.differences.std(axis=0, ddof=1) / np.sqrt(len(record.losses)), float)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
