"""The one-at-a-time design: the baseline, each intervention alone, and the named stacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sweep.design.combinations import Design, wrong_members, wrong_names
from sweep.study.file import Study
from sweep.study.mistakes import Mistake
from sweep.study.names import BASELINE


def one_at_a_time(study: Study) -> Design:
    """List the interventions of each arm by the arm's name; the baseline has none and comes first.

    The second result are the mistakes: a repeated name, and stacks of interventions that exclude
    each other. Such arms are left out.
    """
    found: dict[str, Sequence[str]] = {BASELINE: ()}
    found |= {name: (name,) for name in study.interventions if name != BASELINE}
    mistakes = wrong_names(study)
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
    yield from wrong_members(study, members, where, (*keys, "combine"))
