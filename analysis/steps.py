"""Steps: arms that are another arm plus one change, each judged beside that arm.

A ladder of arms asks of each rung what it adds to the rung before. Both share seeds, so each seed
gives a difference of the two, in which everything that they have in common cancels. Differences are
judged as those of an arm and the baseline are (`verdict.judge`): moderated over all steps, adjusted
over all steps, and by e-values where the results may have decided how many seeds there are. The
e-value of a step is at most 1 / alpha at all numbers of seeds at once with a probability of 1 - alpha
(Ville's inequality, `anytime`), so it holds whatever stopped the seeds: a race stops an arm by its
comparison with the baseline, and not by that with the rung before.

Steps are a family of their own. `docs/designs.md`, "How steps are judged".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .arm_verdict import ArmVerdict
from .comparison import Comparison, compare
from .decision import Verdict
from .digits import difference, resolution, rounding
from .effect_verdict import ComparisonVerdict
from .looks import Basis, Look
from .rules import Plan
from .runs import ArmRuns, read_runs
from .unpaired import run_prior
from .verdict import judge, judge_comparisons

Floats = NDArray[np.float64]

REFERENCE = "no difference"
"""The arm that differences are compared with: zero for every seed."""
ENDED = frozenset({"diverged", "failed"})
"""Statuses of runs that will have no result."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """An arm, and the arm that it is compared with."""

    arm: str
    before: str

    @property
    def name(self) -> str:
        """Tells it from the arm's other steps."""
        return f"{self.arm} after {self.before}"


@dataclass(frozen=True, kw_only=True)
class StepSeeds:
    """A step, and the seeds that it rests on."""

    arm: str
    before: str
    n: int
    """Seeds that are done in both; if runs do not pair, runs of the side that has fewer."""
    n_missing: int
    """Seeds of both that tell nothing: a run has no result, or the one before diverged."""
    n_diverged: int
    """Seeds in which the arm diverged, and the arm before did not."""


@dataclass(frozen=True, kw_only=True)
class StepVerdict(ComparisonVerdict, StepSeeds):
    """The verdict on one step. The effect is the arm minus the arm before."""

    verdict: Verdict = "undecided"


def judge_steps(runs: pd.DataFrame, steps: Sequence[Step], plan: Plan) -> list[StepVerdict]:
    """Judge each step, in this order; p-values are adjusted over all of them.

    `runs` as for `verdict.judge`, with the column `seed`; `plan` has the rules of the study, its
    looks and its race. Raises ValueError as `runs.read_runs` does.
    """
    if not steps:
        return []
    by_arm = read_runs(runs[["arm", "seed", "loss", "status"]], (plan.baseline, *plan.arms))
    digit = max(resolution(_losses(by_arm)), plan.resolution)
    rules = _rules(steps, plan, digit)
    if not plan.pairs:
        return _judge_unpaired(steps, by_arm, rules)
    table = _differences(runs, steps)
    judged = judge(table, rules, is_primary=False)
    return [_verdict(*each) for each in zip(steps, judged.arms[1:], strict=True)]


def _losses(by_arm: Mapping[str, ArmRuns]) -> Floats:
    return np.concatenate([runs.observed for runs in by_arm.values()])


def _verdict(step: Step, row: ArmVerdict) -> StepVerdict:
    return StepVerdict(
        arm=step.arm,
        before=step.before,
        n=row.n_done,
        n_missing=row.n_missing + row.n_failed,
        n_diverged=row.n_diverged,
        **{**row.values_of(ComparisonVerdict), "verdict": row.verdict or "undecided"},
    )


def _rules(steps: Sequence[Step], plan: Plan, digit: float) -> Plan:
    """The plan's rules for differences, whose losses have a last digit of `digit` nats."""
    looks = {step.name: look for step in steps if (look := _look(step, plan))}
    seen = {step.name for step in steps if step.name not in looks and _was_seen(step, plan)}
    return Plan(
        arms=tuple(step.name for step in steps),
        baseline=REFERENCE,
        alpha=plan.alpha,
        correction=plan.correction,
        smallest_effect=plan.smallest_effect,
        higher_is_better=plan.higher_is_better,
        looks=looks,
        seen_before=frozenset(seen),
        race=plan.race,
        pairs=plan.pairs,
        resolution=digit,
    )


def _look(step: Step, plan: Plan) -> Look | None:
    """The seeds that both had planned at their looks; None if one of them had no look.

    Either arm may have dropped the seeds that it no longer has, so both numbers count.
    """
    one = plan.looks.get(step.arm)
    other = one if step.before == plan.baseline else plan.looks.get(step.before)
    if one is None or other is None:
        return None
    seeds = one.seeds & (one.baseline if other is one else other.seeds)
    return Look(
        seeds=seeds,
        baseline=seeds,
        extension=max(one.extension, other.extension),
        dropped=one.dropped + (0 if other is one else other.dropped),
    )


def _was_seen(step: Step, plan: Plan) -> bool:
    """True if results of one of the two may have decided its seeds before the other had any."""
    return any(arm in plan.seen_before or arm in plan.looks for arm in (step.arm, step.before))


def _differences(runs: pd.DataFrame, steps: Sequence[Step]) -> pd.DataFrame:
    """A row for each step and seed that both arms have, with the columns that `judge` reads."""
    sides = {str(arm): own.set_index("seed") for arm, own in runs.groupby("arm", sort=False)}
    known = [step for step in steps if step.arm in sides and step.before in sides]
    columns = ["seed", "arm", "loss", "status"]
    tables = [_table(step, sides[step.arm], sides[step.before]) for step in known]
    found = pd.concat([runs.iloc[:0][columns], *tables])
    seeds = sorted(set(found["seed"]))
    zeros = pd.DataFrame({"seed": seeds, "arm": REFERENCE, "loss": 0.0, "status": "done"})
    return pd.concat([found, zeros], ignore_index=True)


def _table(step: Step, arm: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """The differences of one step."""
    seeds = [seed for seed in arm.index if seed in before.index]
    sides = arm.loc[seeds], before.loc[seeds]
    own, others = (side["loss"].to_numpy(float) for side in sides)
    statuses = zip(*(side["status"] for side in sides), strict=True)
    status = np.array([_status(*pair) for pair in statuses], object)
    done = status == "done"
    values = np.full(len(seeds), np.nan)
    values[done] = _apart(own[done], others[done])
    return pd.DataFrame({"seed": seeds, "arm": step.name, "loss": values, "status": status})


def _apart(own: Floats, others: Floats) -> Floats:
    """The differences of losses; zero for those that agree to rounding: no digits are left of them."""
    found = difference(own, others)
    return np.where(np.abs(found) <= rounding(float(np.abs(own).max(initial=0.0))), 0.0, found)


def _status(own: str, before: str) -> str:
    """The status of a difference: that of the arm's run, if the run before it has a result."""
    if before == "done":
        return own
    return "failed" if before in ENDED or own in ENDED else "queued"


def _judge_unpaired(
    steps: Sequence[Step], by_arm: Mapping[str, ArmRuns], rules: Plan
) -> list[StepVerdict]:
    """Judge steps whose runs do not pair, by the t test of runs without shared seeds.

    After a look each test has a part of alpha (`sequential.Spent`). In a race all steps are undecided:
    its stops would need e-values, and without pairs there are none.
    """
    by_looks = bool(rules.looks or rules.seen_before or rules.race)
    rules = replace(rules, by_looks=by_looks)
    involved = dict.fromkeys(arm for step in steps for arm in (step.arm, step.before))
    prior = run_prior([by_arm[arm] for arm in involved], rules.resolution)
    compared = [_compared(step, by_arm, rules.resolution) for step in steps]
    compared = [replace(each, run_prior=prior) for each in compared]
    _, rows = judge_comparisons(compared, rules)
    found = []
    for step, row in zip(steps, rows, strict=True):
        missing = by_arm[step.arm].n_missing + by_arm[step.before].n_missing
        n = min(len(by_arm[each].losses) for each in (step.arm, step.before))
        basis: Basis = "looks" if by_looks else "provisional" if missing else "planned"
        found.append(replace(_verdict(step, row), n=n, basis=basis))
    return found


def _compared(step: Step, by_arm: Mapping[str, ArmRuns], digit: float) -> Comparison:
    arm = replace(by_arm[step.arm], arm=step.name)
    (found,) = compare([arm], by_arm[step.before], pairs=False, least_digit=digit)
    return found
