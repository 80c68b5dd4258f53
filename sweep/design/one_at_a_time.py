"""The one-at-a-time design: the baseline, each intervention alone, and the named stacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from sweep.errors import did_you_mean
from sweep.study.file import Study, changed_fields
from sweep.study.mistakes import InvalidStudyError, Keys, Mistake
from sweep.study.names import BASELINE
from sweep.terminal.printable import shown


def one_at_a_time(study: Study) -> tuple[dict[str, Sequence[str]], list[Mistake]]:
    """List the interventions of each arm by the arm's name; the baseline has none and comes first.

    The second result are the mistakes: a repeated name, and stacks of interventions that exclude
    each other. Such arms are left out.
    """
    found: dict[str, Sequence[str]] = {BASELINE: ()}
    found |= {name: (name,) for name in study.interventions if name != BASELINE}
    mistakes = []
    if BASELINE in study.interventions:
        mistakes.append(
            Mistake(
                ("interventions", BASELINE),
                f"[interventions.{BASELINE}]: that is the name of the arm without interventions; "
                "use another name",
            )
        )
    for name, stack in study.stacks.items():
        wrong = list(_wrong_with_stack(study, name, stack.combine))
        mistakes += wrong
        if not wrong:
            found[name] = stack.combine
    return found, mistakes


def _wrong_with_stack(study: Study, name: str, members: list[str]) -> Iterator[Mistake]:
    where, keys = f"[stacks.{name}]", ("stacks", name)
    if name == BASELINE or name in study.interventions:
        yield Mistake(keys, f"{where}: an arm of that name exists already; use another name")
    inside: Keys = (*keys, "combine")
    known = [member for member in members if member in study.interventions]
    for member in members:
        if member not in known:
            names = ", ".join(study.interventions)
            advice = did_you_mean(member, study.interventions) or f" ({names})"
            yield Mistake(
                inside, f"{where} combines {member!r}, which is not an intervention{advice}"
            )
    if len(set(members)) < len(members):
        yield Mistake(inside, f"{where} combines an intervention with itself")
    for one, other in combinations(dict.fromkeys(known), 2):
        if exclude := _why_incompatible(study, one, other):
            yield Mistake(inside, f"{where} combines {exclude}")


def _why_incompatible(study: Study, one: str, other: str) -> str | None:
    try:
        first = changed_fields(study.interventions[one])
        second = changed_fields(study.interventions[other])
    except InvalidStudyError:
        return None  # a mistake of the intervention
    for field in first.keys() & second.keys():
        if first[field] != second[field]:
            return (
                f"{one!r} and {other!r}, which both set {field!r} "
                f"({shown(first[field])} and {shown(second[field])}); they are alternatives and "
                "cannot be stacked"
            )
    return None
