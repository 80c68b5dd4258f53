"""The arms that `[design] stop_worse` may stop, and the mistakes in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sweep.errors import did_you_mean
from sweep.study.file import Study
from sweep.study.mistakes import Mistake
from sweep.terminal.printable import shown
from sweep.trainers.stored_recipes import flat_recipe

if TYPE_CHECKING:
    from sweep.design.plan import Arm, Plan

ALL_ARMS_TOGETHER = {"factorial", "fractional"}
"""Kinds of designs in which every arm tells about every factor, so that none can be spared."""
OTHER_CURVE = (
    "schedule.",
    "train.tokens",
    "train.batch_size",
    "train.initial_weights",
    "train.first_context",
    "train.context_warmup",
    "train.ema",
    "evaluation.average_last",
    "data.",
    "model.context",
    "model.dropout",
)
"""Beginnings of recipe fields after whose change a training loss at one step is another quantity:
another schedule or budget, other text, a loss with another dropout, or not that of the weights that
are evaluated."""


def exempt_arms(plan: Plan) -> dict[str, str]:
    """The arms that are never stopped early, each with the reason in words."""
    rules = plan.study.design.stop_worse
    if rules is None:
        return {}
    found = {} if plan.study.trainer else {arm.name: _changed(plan, arm) for arm in plan.compared}
    exempt = {name: f"sets {field}" for name, field in found.items() if field}
    return {**exempt, **dict.fromkeys(rules.never, "named in never")}


def stoppable_arms(plan: Plan) -> list[str]:
    """The arms that may be stopped early, in the plan's order; of a stack, none."""
    if plan.study.design.stop_worse is None or plan.stack:
        return []
    exempt = exempt_arms(plan)
    return [arm.name for arm in plan.compared if arm.name not in exempt]


def _changed(plan: Plan, arm: Arm) -> str | None:
    """The first field of `OTHER_CURVE` in which a recipe differs from the baseline's."""
    own, base = (flat_recipe(json.loads(each.identity)) for each in (arm, plan.arms[0]))
    fields = (field for field in own if own[field] != base.get(field))
    return next((field for field in fields if field.startswith(OTHER_CURVE)), None)


def stop_worse_mistakes(study: Study, arms: Iterable[str]) -> Iterator[Mistake]:
    """Mistakes in `design.stop_worse` that depend on the rest of the study."""
    rules, kind, keys = study.design.stop_worse, study.design.kind, ("design", "stop_worse")
    if rules is None:
        return
    if kind in ALL_ARMS_TOGETHER:
        yield Mistake(
            keys,
            f'design.stop_worse: in kind = "{kind}" every arm tells about every factor, so none can '
            "be stopped; remove stop_worse",
        )
    if study.trainer is not None and rules.are_shares:
        yield Mistake(
            (*keys, "at"),
            "design.stop_worse.at has shares of a run, but sweep does not know how many steps a "
            "script takes; give steps, such as at = [1000, 2000]",
        )
    if study.trainer is None and not rules.are_shares:
        yield Mistake(
            (*keys, "at"),
            "design.stop_worse.at has steps, but must have shares of a run between 0 and 1, such as "
            "at = [0.3, 0.6]",
        )
    if study.trainer is not None and not study.trainer.pairs:
        yield Mistake(
            keys,
            "design.stop_worse compares curves seed by seed, but the script's runs do not pair; set "
            "trainer.pairs = true if equal seeds give equal noise, or remove stop_worse",
        )
    yield from _unknown_arms(rules.never, list(arms))


def _unknown_arms(never: Sequence[str], arms: Sequence[str]) -> Iterator[Mistake]:
    for name in never:
        if name not in arms:
            yield Mistake(
                ("design", "stop_worse", "never"),
                f"design.stop_worse.never names {shown(name)}, which is no arm"
                f"{did_you_mean(name, arms)}",
            )
