"""The direction of an imported metric: as asked for, as the study has it, or as its name says."""

from __future__ import annotations

from dataclasses import replace

from sweep.importing.fields import direction_of
from sweep.importing.rules import Reading
from sweep.metrics.metric import Direction
from sweep.store.plan_content import PlanContent
from sweep.terminal.printable import shown


def with_direction(
    reading: Reading, metric: str, asked: Direction | None, earlier: PlanContent | None
) -> Reading:
    """Return the reading with the direction in which `metric` improves.

    `asked` is the direction that an option gives, `earlier` the plan of an earlier import. Asks if the
    name of the metric says otherwise.
    """
    told, source = direction_of(metric), reading.source
    if asked is Direction.MAXIMIZE and told is Direction.MINIMIZE:
        reading.questions.ask(
            f"{source}: {shown(metric)} is the name of a metric that is better when it is lower; "
            "leave out --higher-is-better, or rename the column"
        )
    elif asked is None and earlier is not None:
        if metric != earlier.metric and told not in (None, earlier.direction):
            reading.questions.ask(
                f"{source}: study {earlier.study!r} compares {shown(earlier.metric)}, where "
                f"{earlier.direction.words}, and {shown(metric)} is another metric; choose another "
                "name with --study"
            )
    elif asked is None and told is Direction.MAXIMIZE:
        reading.questions.ask(
            f"{source}: {shown(metric)} seems to be better when it is higher; add "
            "--higher-is-better, or --lower-is-better if it is not"
        )
    chosen = asked or (earlier.direction if earlier else told) or Direction.MINIMIZE
    known = asked or earlier or told is Direction.MAXIMIZE
    rules = replace(reading.rules, direction=chosen, is_direction_given=bool(known))
    return replace(reading, rules=rules)
