"""The metrics that lm-eval's tasks add to a study."""

from __future__ import annotations

from dataclasses import replace

from sweep.evals.eval_files import EVALS_PREFIX, read_evals
from sweep.metrics.metric import Direction, Metric
from sweep.store.metrics import metric_names
from sweep.store.plan_content import PlanContent
from sweep.store.store import Store


def with_eval_metrics(store: Store, plan: PlanContent) -> PlanContent:
    """Return a plan that knows the metrics of tasks that its study's runs were scored on."""
    found = find_eval_metrics(store, plan.study) if plan.metric is None else {}
    return replace(plan, metrics={**plan.metrics, **found}) if found else plan


def find_eval_metrics(store: Store, study: str) -> dict[str, Metric]:
    """Return these metrics of a study by name, without those of unknown direction.

    lm-eval says in which direction a metric improves; that lies with the scores in the directories of
    the runs.
    """
    missing, ledger = set(metric_names(store, study, EVALS_PREFIX)), store.ledger
    if not missing or ledger is None:
        return {}
    found: dict[str, Metric] = {}
    for _, run_id in store.run_ids(study):
        evals = read_evals(ledger.run(run_id))
        for name, higher in evals.higher_is_better.items() if evals else ():
            if name in missing:
                found[name] = _metric(name, higher=higher)
                missing.remove(name)
        if not missing:
            break
    return dict(sorted(found.items()))


def _metric(name: str, *, higher: bool) -> Metric:
    direction = Direction.MAXIMIZE if higher else Direction.MINIMIZE
    return Metric(name=name, title=name, unit="", direction=direction)
