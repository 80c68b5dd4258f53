"""A race: how many seeds each arm needed until it was decided."""

from __future__ import annotations

from analysis.pictures.figure import Bar, Figure, Mark, Panel, Rule, row_axis
from analysis.pictures.scale import linear_axis
from sweep.figures.source import Source
from sweep.figures.words import MAX_ROWS, left_out, sign_of, verdict_keys
from sweep.terminal.printable import harmless
from trainer.words import counted

ROW_HEIGHT = 26.0


def race(source: Source) -> Figure | None:
    """Bars of seeds; None if the study is no race."""
    standing, report = source.standing, source.report
    if standing is None:
        return None
    arms = [arm for arm in report.arms[1:] if arm.name not in report.plan.budgets]
    if not arms:
        return None
    drawn = arms[:MAX_ROWS]
    seeds = {arm.name: standing.left.get(arm.name) or arm.result.n_ended for arm in drawn}
    marks: list[Mark] = [Rule(axis="x", value=float(report.plan.race_start or 0), dashed=True)]
    told = []
    for place, arm in enumerate(drawn):
        tone, _ = sign_of(arm.result.verdict)
        left = "" if arm.name in standing.left else ", still in the race"
        words = (
            f"{arm.result.verdict or 'no verdict'} after {counted(seeds[arm.name], 'seed')}{left}"
        )
        told.append(f"{harmless(arm.name)} {words}")
        marks.append(Bar(y=place, length=seeds[arm.name], tone=tone, tip=told[-1]))
    most = max(len(report.seeds), *seeds.values())
    panel = Panel(
        x=linear_axis([0.0, float(most)], "seeds until the arm was decided", ticks=8, whole=True),
        y=row_axis([harmless(arm.name) for arm in drawn]),
        marks=marks,
        height=ROW_HEIGHT * len(drawn),
        has_rows=True,
        notes=[
            each.removeprefix(f"{harmless(arm.name)} ")
            for each, arm in zip(told, drawn, strict=True)
        ],
    )
    return Figure(
        title="The race",
        summary=f"Seeds of each arm: {'; '.join(told)}.",
        left_out=left_out((len(arms) - len(drawn), "arm")),
        panels=[panel],
        keys=verdict_keys([arm.result.verdict for arm in drawn]),
    )
