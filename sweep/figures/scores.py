"""Test loss against a judge's score, a point per run."""

from __future__ import annotations

from analysis.pictures.figure import Dots, Figure, Key, Mark, Panel, Shape, Tone
from analysis.pictures.scale import linear_axis
from sweep.figures.source import ScoredRun, Source
from sweep.figures.words import sign_of, verdict_keys
from sweep.metrics.registry import KNOWN, PRIMARY
from sweep.study.names import BASELINE
from sweep.terminal.printable import harmless

HEIGHT = 300.0
OF_BASELINE: tuple[Tone, Shape] = ("baseline", "cross")


def scores(source: Source) -> Figure | None:
    """The runs that have a test loss and a score; None without any."""
    found = source.scored_runs
    if not found.runs:
        return None
    metric, report = KNOWN[found.metric], source.report
    verdicts = {arm.name: arm.result.verdict for arm in report.arms}
    signs = {name: sign_of(verdict) for name, verdict in verdicts.items()} | {BASELINE: OF_BASELINE}
    marks: list[Mark] = []
    for arm, (tone, shape) in signs.items():
        of_arm = [run for run in found.runs if run.arm == arm]
        points = [(run.loss, run.score) for run in of_arm]
        tips = [_tip(run) for run in of_arm]
        marks.append(Dots(points=points, tone=tone, shape=shape, radius=4.0, tips=tips))
    tone, shape = OF_BASELINE
    title = harmless(metric.title)
    return Figure(
        title=f"{PRIMARY.title.capitalize()} against {title}",
        summary=_summary(found.runs, found.correlation, title),
        panels=[
            Panel(
                x=linear_axis([run.loss for run in found.runs], PRIMARY.words),
                y=linear_axis([run.score for run in found.runs], harmless(metric.words)),
                marks=[mark for mark in marks if isinstance(mark, Dots) and mark.points],
                height=HEIGHT,
            )
        ],
        keys=[
            Key(label=BASELINE, tone=tone, shape=shape),
            *verdict_keys([verdict for name, verdict in verdicts.items() if name != BASELINE]),
        ],
    )


def _tip(run: ScoredRun) -> str:
    return f"{harmless(run.arm)}, seed {run.seed}: loss {run.loss:.4f}, score {run.score:.2f}"


def _summary(runs: list[ScoredRun], correlation: float | None, title: str) -> str:
    best, lowest = max(runs, key=lambda run: run.score), min(runs, key=lambda run: run.loss)
    told = "" if correlation is None else f" Their correlation is {correlation:+.2f}."
    return (
        f"{PRIMARY.title.capitalize()} and {title} of {len(runs)} runs.{told} The highest score has "
        f"{_tip(best)}. The lowest loss has {_tip(lowest)}."
    )
