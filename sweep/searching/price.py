"""The time and the money that the trials of a search take."""

from __future__ import annotations

from sweep.design.plan import Plan
from sweep.forecast.price import Price, TrainingTime, time_of
from sweep.searching.problem import problems_of
from sweep.searching.trials import trials_of
from sweep.store.store import Store


def trials_time(plan: Plan, store: Store | None, price: Price, slots: int) -> TrainingTime | None:
    """Estimate how long the missing trials take; None for a study without a search.

    Each is priced as a run of the arm that it tunes, although a pruner may stop it early and other
    values may change its size. The tuned baseline, which is compared with the rest, is part of it
    until it is known.
    """
    search = plan.study.search
    if search is None:
        return None
    runs = []
    for problem in problems_of(plan, search):
        over = sum(each.is_over for each in trials_of(store, problem)) if store else 0
        runs += [problem.arm.spec.cost] * max(0, problem.trials - over) * len(search.seeds)
    if runs and not search.per_arm and plan.tuned is None:
        runs += [plan.arms[0].spec.cost] * len(plan.seeds)
    return time_of(runs, plan, price, slots)
