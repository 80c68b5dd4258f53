"""The direction of an imported metric: as asked for, as the study has it, or as its name says."""

from __future__ import annotations

from sweep.errors import ResultsError
from sweep.importing.fields import direction_of
from sweep.metrics.metric import Direction
from sweep.store.plan_content import PlanContent
from sweep.terminal.printable import shown


def choose_direction(
    metric: str, asked: Direction | None, earlier: PlanContent | None, source: str
) -> Direction:
    """Return the direction in which the column `metric` improves.

    `asked` is that of the options, `earlier` the plan that the study has. Raises ResultsError if the
    name of the column says otherwise.
    """
    told = direction_of(metric)
    if asked is Direction.MAXIMIZE and told is Direction.MINIMIZE:
        raise ResultsError(
            f"{source}: {shown(metric)} is the name of a metric that is better when it is lower; "
            "leave out --higher-is-better, or name the column after what it holds"
        )
    if asked is not None:
        return asked
    if earlier is not None:
        _check_same(metric, told, earlier, source)
        return earlier.direction
    if told is Direction.MAXIMIZE:
        raise ResultsError(
            f"{source}: {shown(metric)} seems to be better when it is higher; say so with "
            "--higher-is-better, or say that it is not with --lower-is-better"
        )
    return Direction.MINIMIZE


def _check_same(metric: str, told: Direction | None, earlier: PlanContent, source: str) -> None:
    """Raise ResultsError if the study compares a metric of the other direction."""
    if metric == earlier.metric or told in (None, earlier.direction):
        return
    raise ResultsError(
        f"{source}: study {earlier.study!r} compares {shown(earlier.metric)}, where "
        f"{earlier.direction.words}, and {shown(metric)} is another metric; choose another name "
        "with --study"
    )
