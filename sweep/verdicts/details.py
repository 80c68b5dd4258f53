"""Further tests of a study, for `sweep report --details` and its JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, select

from sweep.store.metrics import metric_value
from sweep.store.rows import StudyRow
from sweep.store.schema import arms, members, planned_runs, runs
from sweep.store.store import Store
from sweep.verdicts.analysis_plan import analysis_plan
from sweep.verdicts.judge import Report

if TYPE_CHECKING:
    import pandas as pd

    from analysis.details import Details


def find_details(store: Store, study: StudyRow, report: Report) -> Details:
    """Further tests of the runs of a report."""
    from analysis.details import details

    content = replace(store.plan(study), analysis=report.analysis)
    names = [arm.name for arm in report.arms]
    metric = report.metric
    plan = analysis_plan(names, content, report.history.questions_withdrawn, metric)
    finished = _finished(store, study.name, metric_value(content, metric.name))
    return details(report.evidence.judged_runs, plan, report.judgement, finished)


def _finished(store: Store, study: str, value: ColumnElement[Any]) -> pd.DataFrame | None:
    """The done runs of a study with the time at which each ended; None if that is unknown.

    A run that two arms share is one run.
    """
    import pandas as pd

    query = (
        select(arms.c.name, members.c.seed, value, runs.c.finished)
        .select_from(planned_runs)
        .where(arms.c.study == study, value.is_not(None), runs.c.finished.is_not(None))
        .order_by(arms.c.position, members.c.seed)
    )
    with store.begin() as connection:
        rows = connection.execute(query).all()
    return pd.DataFrame(rows, columns=["arm", "seed", "loss", "finished"]) if rows else None
