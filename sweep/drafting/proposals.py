"""Propose interventions: a change of each parameter, the most promising one first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sweep.drafting.draft import Parameter
from sweep.drafting.values import Value
from sweep.metrics.names import words_of_name

PREFERRED = ("lr", "learning", "dropout", "decay", "momentum", "width", "depth", "layers", "hidden")
"""Words of parameters of which a change is proposed first."""

LENGTHS = frozenset({"iters", "iterations", "steps", "epochs", "epoch", "max", "tokens"})
"""Words of parameters that say how long a run is: a change of them is proposed last."""


@dataclass(frozen=True)
class Change:
    """A proposed intervention."""

    name: str
    parameter: str
    value: Value


def propose_changes(parameters: Mapping[str, Parameter]) -> list[Change]:
    """A change for each parameter that has one, the most promising first."""
    found = [change for name, each in parameters.items() for change in _changes(name, each)]
    return sorted(found, key=lambda change: _rank(change, parameters[change.parameter]))


def _changes(name: str, parameter: Parameter) -> Iterator[Change]:
    value, title = parameter.value, name.replace("_", "-").replace(".", "-")
    if isinstance(value, bool):
        yield Change(f"{'no-' if value else ''}{title}", name, not value)
    elif isinstance(value, int | float):
        new = _other_number(value)
        yield Change(f"{title}-{new:g}", name, new)
    else:
        others = [each for each in parameter.choices if each != value]
        yield from (Change(f"{title}-{other}", name, other) for other in others[:1])


def _other_number(value: float) -> float:
    """Twice the number; for a number from 0.5 to 1, halfway to 1."""
    if value == 0:
        return 1 if isinstance(value, int) else 0.1
    if isinstance(value, float) and 0.5 <= value < 1:
        return round((1 + value) / 2, 6)
    return value * 2 if isinstance(value, int) else float(f"{value * 2:.6g}")


def _rank(change: Change, parameter: Parameter) -> tuple[int, int]:
    words = words_of_name(change.parameter)
    places = [PREFERRED.index(word) for word in words if word in PREFERRED]
    kinds = (float, bool, str, int)
    kind = len(kinds) if LENGTHS.intersection(words) else kinds.index(type(parameter.value))
    return kind, min(places, default=len(PREFERRED))
