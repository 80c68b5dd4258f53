"""The search of a study: the values that each field may have, and the plan with the best ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from typing import Any, Literal

from sweep.design.plan import Arm, Plan
from sweep.design.specs import make_specs
from sweep.study.file import Study, changed_fields
from sweep.study.mistakes import InvalidStudyError, Mistake
from sweep.study.names import BASELINE
from sweep.study.search_section import DEFAULT_TRIALS, MAX_TRIALS, Search, SearchField
from sweep.terminal.printable import shown
from sweep.trainers.registry import trainer_of

TUNED = "tuned"
"""Name of the arm that is the baseline with the best values of its search."""
WITHOUT_CATEGORIES = ("cmaes", "qmc")
"""Samplers that choose values of ranges only."""
INCOMPARABLE = ("data.", "evaluation.")
"""Sections of a recipe that a search may not set: they change the text that is tested."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The values that one field may have in a search."""

    field: str
    kind: Literal["whole", "real", "choice"]
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()

    @property
    def size(self) -> int | None:
        """Number of values; None if there are infinitely many."""
        if self.kind == "choice":
            return len(self.choices)
        step = self.step or (1 if self.kind == "whole" else None)
        if step is None:
            return None
        return int((_exact(self.high) - _exact(self.low)) // _exact(step)) + 1

    def grid(self) -> list[Any]:
        """All values. Needs a `size`."""
        if self.kind == "choice":
            return list(self.choices)
        return [self._point(number) for number in range(self.size or 0)]

    @property
    def last(self) -> float:
        """The largest value that is a whole number of steps above the smallest."""
        return self.high if self.size is None else self._point(self.size - 1)

    def _point(self, number: int) -> float:
        value = _exact(self.low) + number * _exact(self.step or 1)
        return int(value) if self.kind == "whole" else float(value)


def _exact(number: float) -> Decimal:
    """A number as it is written, so that three steps of 0.1 are 0.3."""
    return Decimal(str(number))


def domains(study: Study, search: Search) -> list[Domain]:
    """The values of each field. A range of whole numbers is one if the field takes no others."""
    return [_domain(study, name, each) for name, each in search.fields.items()]


def _domain(study: Study, name: str, given: SearchField) -> Domain:
    if given.choices is not None:
        return Domain(field=name, kind="choice", choices=tuple(given.choices))
    low, high, step = given.low or 0, given.high or 0, given.step
    is_whole = all(isinstance(each, int) for each in (low, high, step or 1)) and bool(
        _wrong_with(study, name, low + 0.5)
    )
    kind: Literal["whole", "real"] = "whole" if is_whole else "real"
    return Domain(field=name, kind=kind, low=low, high=high, log=given.log, step=step)


def number_of_trials(study: Study, search: Search) -> int:
    """Trials of each arm: as the study says, else all points of a grid, else 40."""
    if search.trials is None and search.sampler == "grid":
        return math.prod(each.size or 1 for each in domains(study, search))
    return search.trials or DEFAULT_TRIALS


def search_mistakes(study: Study) -> list[Mistake]:
    """The mistakes of a study's search; empty without one."""
    search = study.search
    if search is None:
        return []
    fields = [mistake for name in search.fields for mistake in _wrong_field(study, search, name)]
    return fields or [*_wrong_grid(study, search), *_wrong_design(study, search)]


def _wrong_field(study: Study, search: Search, name: str) -> Iterator[Mistake]:
    keys, given = ("search", "fields", name), search.fields[name]
    where = f"'search.fields' has {shown(name)}"
    for owner in _owners(study, name):
        yield Mistake(
            keys,
            f"{where}, which [interventions.{owner}] sets; search it or set it, and remove the other",
        )
    if study.trainer is None and name.startswith(INCOMPARABLE):
        text = "changes the text that is tested, and losses on different texts are not comparable"
        yield Mistake(keys, f"{where}, which {text}; make each value a study of its own")
        return
    ends = given.choices if given.choices is not None else [given.low, given.high]
    wrong = chain.from_iterable(_wrong_with(study, name, each) for each in ends)
    yield from (Mistake(keys, f"[search.fields] {each}") for each in dict.fromkeys(wrong))
    if given.choices is not None and search.sampler in WITHOUT_CATEGORIES:
        yield Mistake(
            keys,
            f"{where} with choices, and search.sampler = {search.sampler!r} takes ranges only; use "
            "sampler = 'tpe', 'random', 'grid' or 'gp'",
        )


def _owners(study: Study, field: str) -> Iterator[str]:
    """Interventions that set a field."""
    for name, intervention in study.interventions.items():
        try:
            if field in changed_fields(intervention):
                yield name
        except InvalidStudyError:
            continue  # a mistake of the intervention


def _wrong_with(study: Study, field: str, value: Any) -> list[str]:  # noqa: ANN401  (any TOML value)
    """The mistakes that this value of the field makes in the baseline, as sentences."""
    make = trainer_of(study).make_spec
    seeds = study.design.streams(study.design.seed_list()[0])
    try:
        make(study, {field: value}, seeds)
    except InvalidStudyError as error:
        return [each.sentence for each in error.mistakes if each.keys]
    return []


def _wrong_grid(study: Study, search: Search) -> Iterator[Mistake]:
    if search.sampler != "grid":
        return
    found = domains(study, search)
    for each in found:
        if each.size is None or each.log:
            yield Mistake(
                ("search", "fields", each.field),
                f"'search.fields' has {shown(each.field)} without step or choices, so a grid of it "
                "has no end; add step, or name the values as choices",
            )
            return
    points = math.prod(each.size or 1 for each in found)
    if points > MAX_TRIALS:
        yield Mistake(
            ("search", "sampler"),
            f"the grid of [search] has {points:,} points, and at most {MAX_TRIALS:,} are allowed; "
            "use larger steps or fewer choices, or sampler = 'tpe' with a number of trials",
        )
    elif search.trials not in (None, points):
        yield Mistake(
            ("search", "trials"),
            f"'search.trials' = {search.trials}, but the grid has {points:,} points and each of them "
            "is a trial; remove trials, or change the grid",
        )


def _wrong_design(study: Study, search: Search) -> Iterator[Mistake]:
    if shared := set(search.seeds) & set(study.design.seed_list()):
        yield Mistake(
            ("design", "seeds"),
            f"'design.seeds' has {min(shared)}, which is a seed of the search; the arms are compared "
            "on seeds that the search has not seen, so use others",
        )
    if not search.per_arm and TUNED in {*study.interventions, *study.stacks}:
        yield Mistake(
            ("search",),
            f"the result of [search] is the arm {TUNED!r}, and there is one of that name already; "
            "rename the other",
        )


def tuned_arms(plan: Plan, search: Search) -> list[Arm]:
    """The arms that are tuned: all of them, or the baseline."""
    arms = [arm for arm in plan.arms if arm.interventions or arm.name == BASELINE]
    return arms if search.per_arm else arms[:1]


def tuned_plan(
    plan: Plan, search: Search, best: Mapping[str, Mapping[str, Any]], origin: Mapping[str, Any]
) -> Plan:
    """The plan that compares the arms after their search, on the seeds of the design.

    `best` has the values by arm; `origin` goes into the plan's content. Without `per_arm` the tuned
    baseline is one more arm, unless the baseline has the best values already.
    """
    if search.per_arm:
        arms = [_with_values(plan, arm, best.get(arm.name, best[BASELINE])) for arm in plan.arms]
        return replace(plan, arms=tuple(arms), tuned=origin)
    baseline = plan.arms[0]
    tuned = replace(_with_values(plan, baseline, best[BASELINE]), name=TUNED)
    if tuned.identity == baseline.identity:
        return replace(plan, tuned=origin)
    arms = [*plan.arms, replace(tuned, interventions=(TUNED,))]
    return replace(plan, arms=tuple(arms), tuned=origin)


def _with_values(plan: Plan, arm: Arm, values: Mapping[str, Any]) -> Arm:
    """The arm with further fields set."""
    changes = {**arm.changes, **values}
    return replace(arm, changes=changes, specs=make_specs(plan.study, changes, arm.specs))
