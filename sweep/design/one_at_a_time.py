"""The one-at-a-time design: the baseline, each intervention alone, and the named stacks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from sweep.errors import StudyError
from sweep.study.file import BASELINE, Study, changed_fields
from sweep.terminal.printable import shown


def one_at_a_time(study: Study) -> dict[str, Sequence[str]]:
    """List the interventions of each arm by the arm's name; the baseline has none and comes first.

    Raises StudyError for a repeated name and for stacks of interventions that exclude each other.
    """
    if BASELINE in study.interventions:
        raise StudyError(
            f"[interventions.{BASELINE}]: that is the name of the arm without interventions; "
            "use another"
        )
    found: dict[str, Sequence[str]] = {BASELINE: ()}
    found |= {name: (name,) for name in study.interventions}
    for name, stack in study.stacks.items():
        _check_stack(study, name, stack.combine)
        found[name] = stack.combine
    return found


def _check_stack(study: Study, name: str, members: list[str]) -> None:
    where = f"[stacks.{name}]"
    if name == BASELINE or name in study.interventions:
        raise StudyError(f"{where}: an arm of that name exists already; use another name")
    for member in members:
        if member not in study.interventions:
            known = ", ".join(study.interventions)
            raise StudyError(f"{where} combines {member!r}, which is not an intervention ({known})")
    if len(set(members)) < len(members):
        raise StudyError(f"{where} combines an intervention with itself")
    for one, other in combinations(members, 2):
        _check_compatible(study, where, one, other)


def _check_compatible(study: Study, where: str, one: str, other: str) -> None:
    first = changed_fields(study.interventions[one])
    second = changed_fields(study.interventions[other])
    for field in first.keys() & second.keys():
        if first[field] != second[field]:
            raise StudyError(
                f"{where} combines {one!r} and {other!r}, which both set {field!r} "
                f"({shown(first[field])} and {shown(second[field])}); they are alternatives and "
                "cannot be stacked"
            )
