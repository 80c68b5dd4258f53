"""The guards of a study: by other metrics, is an arm not worse than a bound allows?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.errors import ResultsError
from sweep.metrics.bounds import parse_bound
from sweep.metrics.metric import Metric
from sweep.store.plan_content import PlanContent
from sweep.store.store import Store
from sweep.verdicts.analysis_plan import analysis_plan
from sweep.verdicts.evidence import read_evidence

if TYPE_CHECKING:
    from analysis.bounds import Bound
    from analysis.guards import GuardVerdict


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A metric that may not become much worse, and the answer for each arm."""

    metric: Metric
    text: str
    """The bound as it was written: `-5%`."""
    bound: Bound
    answers: Mapping[str, GuardVerdict]
    """By arm; the baseline has none."""
    lacking: int
    """Runs that are done without the metric."""
    lacks_metric: bool
    """True if runs have ended and none has the metric."""


def find_guards(
    store: Store, study: str, plan: PlanContent, arms: Sequence[str], withdrawn: int
) -> list[Guard]:
    """Judge all guards of a plan; `arms` starts with the baseline.

    Raises ResultsError for a bound that the values of a metric do not allow.
    """
    return [
        _guard(store, study, plan, (arms, withdrawn), (plan.known_metrics[name], text))
        for name, text in plan.analysis.guards.items()
    ]


def _guard(
    store: Store,
    study: str,
    plan: PlanContent,
    family: tuple[Sequence[str], int],
    asked: tuple[Metric, str],
) -> Guard:
    from analysis.guards import judge_guard

    (arms, withdrawn), (metric, text) = family, asked
    evidence = read_evidence(store, study, metric.name)
    rules = analysis_plan(arms, plan, withdrawn, metric)
    bound = parse_bound(text, metric)
    try:
        found = judge_guard(evidence.judged_runs, rules, bound, is_exact=metric.is_exact)
    except ValueError as error:
        raise ResultsError(f"guard {metric.name} = {text!r}: {error}") from error
    return Guard(
        metric=metric,
        text=text,
        bound=bound,
        answers={answer.arm: answer for answer in found},
        lacking=evidence.lacking,
        lacks_metric=evidence.lacks_metric,
    )
