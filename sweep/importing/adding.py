"""Further metrics for the runs of an imported study, from another file."""

from __future__ import annotations

from dataclasses import replace

from sweep.errors import ResultsError
from sweep.importing.further_metrics import check_runs, save_metrics
from sweep.importing.saving import LARGEST_STUDY_FILE, Import, earlier_plan, save_study
from sweep.importing.settings import chosen_analysis
from sweep.store.store import Store


def save_further(store: Store, new: Import) -> int:
    """Add metrics to runs that the study has: all or none. Returns how many values are new.

    Raises ResultsError for a run that the study does not have, and as `save_metrics` does.
    """
    with store.write() as connection:
        earlier = earlier_plan(connection, new)
        if earlier is None:
            raise ResultsError(f"there is no imported study {new.study!r} to add metrics to")
        check_runs(connection, new.study, new.table, str(new.path))
        found = {each.metric.name: each.metric for each in new.further_metrics}
        plan = replace(
            earlier,
            metrics={**earlier.metrics, **found},
            analysis=chosen_analysis(new.settings, earlier),
        )
        metrics = new.further_metrics
        number = save_metrics(connection, new.study, new.table, metrics, replace=new.replace)
        save_study(connection, new, plan, keep_path=True)
        if sum(plan.arms.values()) <= LARGEST_STUDY_FILE:
            store.write_study_file(connection, new.study)
    return number
