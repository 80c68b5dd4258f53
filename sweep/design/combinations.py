"""Arms that combine interventions: their names, and sets of interventions that cannot be combined."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from sweep.design.factors import Members, clash
from sweep.errors import did_you_mean
from sweep.study.file import Study
from sweep.study.mistakes import Keys, Mistake
from sweep.study.names import BASELINE, MAX_NAME_LENGTH
from sweep.terminal.printable import shown

Design = tuple[dict[str, Sequence[str]], list[Mistake]]
"""The interventions of each arm by its name, the baseline first; and the mistakes."""
KIND: Keys = ("design", "kind")
MAX_ARMS = 512
"""Maximum number of arms of a design."""


def combined_name(members: Sequence[str]) -> str:
    """`clip+no-dropout`; of names that are too long together, the first ones and a digest of all.

    It depends on the members alone, so that an arm keeps its name when others join the study.
    """
    whole = "+".join(members)
    if len(whole) <= MAX_NAME_LENGTH:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:6]
    for shown_ones in range(len(members) - 1, 0, -1):
        name = "+".join([*members[:shown_ones], f"{len(members) - shown_ones}-more", digest])
        if len(name) <= MAX_NAME_LENGTH:
            return name
    return f"{len(members)}-interventions+{digest}"


def combined_arms(study: Study, sets: Iterable[Members]) -> Design:
    """The baseline, and an arm for each set of interventions; the empty one is the baseline.

    A name that another arm has already is a mistake, and so are `[stacks]`, which only the
    one-at-a-time design has.
    """
    mistakes = [*wrong_names(study), *_stacks(study)]
    found: dict[str, Sequence[str]] = {BASELINE: ()}
    for members in sets:
        name = combined_name(members) if members else BASELINE
        if tuple(found.setdefault(name, members)) != members:
            sentence = f"two arms would be called {name!r}; rename the intervention of that name"
            mistakes.append(Mistake(("interventions", name), sentence))
    return found, mistakes


def too_many_arms(study: Study, arms: int, interventions: int) -> list[Mistake]:
    """The mistake of a design with more than `MAX_ARMS` arms; empty if there are fewer."""
    if arms <= MAX_ARMS:
        return []
    sentence = (
        f"'design.kind' = {shown(study.design.kind)} makes {arms:,} arms of {interventions} "
        f'interventions, and at most {MAX_ARMS} are possible; kind = "fractional" with '
        "resolution = 4 needs fewer"
    )
    return [Mistake(KIND, sentence)]


def wrong_names(study: Study) -> list[Mistake]:
    """The mistake of an intervention that has the baseline's name."""
    if BASELINE not in study.interventions:
        return []
    sentence = (
        f"[interventions.{BASELINE}]: that is the name of the arm without interventions; "
        "use another name"
    )
    return [Mistake(("interventions", BASELINE), sentence)]


def wrong_members(
    study: Study, members: Sequence[str], where: str, keys: Keys
) -> Iterator[Mistake]:
    """Mistakes of a list of interventions that one arm combines; `where` names it."""
    known = [member for member in members if member in study.interventions]
    for member in members:
        if member not in known:
            names = ", ".join(study.interventions)
            advice = did_you_mean(member, study.interventions) or f" ({names})"
            yield Mistake(
                keys, f"{where} combines {member!r}, which is not an intervention{advice}"
            )
    if len(set(members)) < len(members):
        yield Mistake(keys, f"{where} combines an intervention with itself")
    for one, other in combinations(dict.fromkeys(known), 2):
        if exclude := why_incompatible(study, one, other):
            yield Mistake(keys, f"{where} combines {exclude}")


def why_incompatible(study: Study, one: str, other: str) -> str | None:
    """The end of a sentence on two alternatives; None if an arm can have both."""
    found = clash(study, one, other)
    if found is None:
        return None
    field, first, second = found
    return (
        f"{one!r} and {other!r}, which both set {field!r} ({shown(first)} and {shown(second)}); "
        "they are alternatives and cannot be stacked"
    )


def in_file_order(study: Study, members: Iterable[str]) -> Members:
    """The members in the order of the study file."""
    chosen = set(members)
    return tuple(name for name in study.interventions if name in chosen)


def _stacks(study: Study) -> Iterator[Mistake]:
    for name in study.stacks:
        kind = shown(study.design.kind)
        sentence = (
            f"[stacks.{name}]: 'design.kind' = {kind} chooses the combinations itself; remove the "
            'stack, or list all arms with kind = "explicit"'
        )
        yield Mistake(("stacks", name), sentence)
