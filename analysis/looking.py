"""Verdicts on a plan that may have been extended after a look: fixed samples, then e-values.

1. Each arm is judged on the seeds that were planned before its first result could be seen, by the
   tests for fixed samples, at alpha over the whole family.
2. Arms that this leaves open, and that have more shared seeds now, are judged by their e-values
   over all seeds at alpha / 2, over the questions that are left. So are arms whose runs had been
   seen before the plan. Arms without pairs have a t test at alpha / 4 in the first plan after the
   look, at alpha / 8 in the second, and so on.

If step 1 rejects no true hypothesis, all of them are among the questions of step 2, where one of
them is rejected with a probability of at most alpha / 2: the familywise error is at most 1.5 alpha
by this bound, and simulated 0.025 to 0.058 at alpha 0.05 (`benchmarks/gates/looking.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from .arm_verdict import ArmVerdict, Judgement
from .looks import Basis, lost_looks, runs_of_looks, without
from .rules import Plan

JudgeOnce = Callable[[pd.DataFrame, Plan], Judgement]
DECIDED = frozenset({"better", "worse", "negligible"})
"""Verdicts of a look that stay, whatever later seeds say."""
COUNTS = (
    "n_done",
    "n_diverged",
    "n_failed",
    "n_missing",
    "n_independent",
    "mean",
    "sd",
    "p_target",
    "worth_tokens",
    "worth_tokens_low",
    "worth_tokens_high",
    "worth_is_extrapolated",
    "divergence_rate",
    "divergence_rate_low",
    "divergence_rate_high",
)
"""Fields that are those of all runs of an arm, also where the verdict rests on the first look's."""


def judge_by_looks(runs: pd.DataFrame, plan: Plan, judge_once: JudgeOnce) -> Judgement:
    """Judge a plan by its looks; `judge_once` judges one look. For the runs, see `verdict.judge`."""
    everything = judge_once(runs, plan)
    if not plan.looks and not plan.seen_before:
        return replace(everything, arms=_planned_rows(everything.arms))
    unfixed = plan.seen_before | lost_looks(runs, plan.looks)
    first = first_look(runs, plan, judge_once, unfixed)
    later = _later_looks(runs, plan, first, judge_once)
    chosen = {**first, **later}
    arms = (merged(row, chosen[row.arm]) for row in everything.arms[1:])
    return replace(everything, arms=(everything.arms[0], *arms))


def first_look(
    runs: pd.DataFrame, plan: Plan, judge_once: JudgeOnce, unfixed: frozenset[str]
) -> dict[str, ArmVerdict]:
    """Step 1: the verdicts on the seeds of each arm's look, and the row of the baseline.

    `unfixed`: the arms for which no seeds were fixed before their first result could be seen.
    """
    fixed = tuple(arm for arm in plan.arms if arm not in unfixed)
    if not fixed:
        return {}
    looks = without(plan.looks, unfixed)
    seen = runs[runs["arm"].isin([plan.baseline, *fixed])]
    judged = judge_once(runs_of_looks(seen, looks, plan.baseline), _for_arms(plan, fixed))
    return {row.arm: row for row in _planned_rows(judged.arms)}


def _later_looks(
    runs: pd.DataFrame, plan: Plan, first: dict[str, ArmVerdict], judge_once: JudgeOnce
) -> dict[str, ArmVerdict]:
    """Step 2: the verdicts on arms that step 1 did not judge or left open."""
    arms = tuple(arm for arm in plan.arms if arm not in first or is_open(first[arm]))
    if not arms:
        return {}
    rules = later_rules(plan, first, arms)
    judged = judge_once(runs[runs["arm"].isin([rules.baseline, *rules.arms])], rules)
    grown = plan.baseline in first and judged.arms[0].n_done > first[plan.baseline].n_done
    return {
        row.arm: by_e_values(row, _n_planned(first.get(row.arm)))
        for row in judged.arms[1:]
        if row.arm not in first or (row.arm in arms and _has_more(row, first[row.arm], grown))
    }


def by_e_values(row: ArmVerdict, n_planned: int = 0) -> ArmVerdict:
    """The row of an arm that a look judged, of which so many seeds were planned before the first."""
    return replace(row, basis="looks", n_planned=n_planned, sensitive=False)


def later_rules(plan: Plan, first: Mapping[str, ArmVerdict], arms: Sequence[str]) -> Plan:
    """The rules for the arms of step 2; questions that step 1 has answered do not count."""
    rejected = sum(_is_rejected(row, plan) for arm, row in first.items() if arm not in arms)
    also = [arm for arm in plan.budgets if arm not in arms]  # they turn effects into tokens
    rules = replace(_for_arms(plan, [*arms, *also]), by_looks=True)
    return replace(rules, withdrawn=rules.withdrawn - rejected)


def _has_more(later: ArmVerdict, first: ArmVerdict, baseline_grew: bool) -> bool:
    """True if a later test rests on more pairs, or without pairs on more runs, than the look."""
    if later.method == "e-value":
        return (later.n_shared or 0) > (first.n_shared or 0)
    return later.p is not None and (baseline_grew or later.n_done > first.n_done)


def _for_arms(plan: Plan, arms: Sequence[str]) -> Plan:
    """The plan for some of its arms; the family is as large as before."""
    kept = replace(
        plan,
        arms=tuple(arms),
        outside_family=plan.outside_family & set(arms),
        budgets={arm: ratio for arm, ratio in plan.budgets.items() if arm in arms},
    )
    return replace(kept, withdrawn=plan.questions - len(kept.family))


def _planned_rows(rows: Sequence[ArmVerdict]) -> tuple[ArmVerdict, ...]:
    """The rows with their basis: the planned seeds, of which some may not have ended."""
    baseline, *arms = rows
    return (baseline, *(_planned_row(row, baseline) for row in arms))


def _planned_row(row: ArmVerdict, baseline: ArmVerdict) -> ArmVerdict:
    ended = not (row.n_missing or baseline.n_missing)
    basis: Basis = "planned" if ended else "provisional"
    return replace(row, basis=basis, n_planned=row.n_ended + row.n_missing)


def is_open(row: ArmVerdict) -> bool:
    """True if later seeds may decide: a look that has ended, without a decision."""
    return row.basis == "planned" and row.verdict not in DECIDED


def _is_rejected(row: ArmVerdict, plan: Plan) -> bool:
    """True if step 1 has shown an effect: the question is answered, and does not count in step 2.

    A negligible arm without such an effect counts: leaving it out for its small estimate would let
    the others pass more easily.
    """
    shown = row.p_adjusted is not None and row.p_adjusted < plan.alpha
    return shown and row.basis == "planned" and row.arm in plan.family


def _n_planned(first: ArmVerdict | None) -> int:
    return (first.n_planned or 0) if first else 0


def merged(everything: ArmVerdict, chosen: ArmVerdict) -> ArmVerdict:
    """The chosen row with the counts of all runs."""
    return replace(chosen, **{name: getattr(everything, name) for name in COUNTS})
