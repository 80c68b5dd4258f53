"""`--metric NAME=COLUMN:DIRECTION` of `sweep import`."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.errors import ResultsError
from sweep.metrics.metric import Direction
from sweep.metrics.names import direction_of_name
from sweep.store.schema import LONGEST_METRIC_NAME
from sweep.terminal.printable import shown


@dataclass(frozen=True, kw_only=True)
class MetricWord:
    """A metric that the command line names."""

    name: str
    column: str
    """The column of the file that holds it."""
    direction: Direction | None
    """The direction that was given; None if the name has to tell it."""

    @property
    def told(self) -> Direction | None:
        """The direction in which it improves: as given, else by its name."""
        return self.direction or direction_of_name(self.name)


def parse_metrics(words: list[str]) -> list[MetricWord]:
    """Parse `["accuracy", "seconds=loss:minimize"]`. Raises ResultsError."""
    found: dict[str, MetricWord] = {}
    for word in words:
        rest, direction = _split_direction(word)
        name, _, column = rest.partition("=")
        if not name.strip() or len(name) > LONGEST_METRIC_NAME:
            raise ResultsError(
                f"--metric {shown(word)}: write NAME, NAME=COLUMN or NAME:maximize, with at most "
                f"{LONGEST_METRIC_NAME} characters in the name"
            )
        if name in found:
            raise ResultsError(f"--metric names {shown(name)} twice; name it once")
        found[name] = MetricWord(name=name, column=column or name, direction=direction)
    return list(found.values())


def _split_direction(word: str) -> tuple[str, Direction | None]:
    for direction in Direction:
        if word.endswith(f":{direction.value}"):
            return word.removesuffix(f":{direction.value}"), direction
    return word, None
