"""Read what the pages of runs and arms say from the store."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sweep.reports.arm_page import ArmFactsheet, SeedRow
from sweep.reports.run_page import RunFactsheet
from sweep.store.ledger import directory_name
from sweep.store.metrics import run_metrics
from sweep.store.places import places_of_run
from sweep.store.rows import FoundRun, PlannedRun
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.verdicts.arm_changes import arm_changes, arm_reasons
from sweep.verdicts.arm_costs import find_costs
from sweep.verdicts.curves import differences, mean_curve, read_curve
from sweep.verdicts.judge import Report


def run_factsheet(store: Store, found: FoundRun, folder: Path) -> RunFactsheet:
    """All that the page of a run says; `folder` is that of all runs."""
    run = found.run
    places = places_of_run(store, run.id)
    place = found.place or next(
        (PlannedRun(study=each.study, arm=each.arm, seed=each.seed, run=run) for each in places),
        None,
    )
    fields: dict[str, Any] = {}
    if place:
        study = store.study(place.study)
        plan = store.plan(study)
        arm = next(each for each in store.arms(study.name) if each.name == place.arm)
        known = {(row.arm, row.seed): row.test_loss for row in store.study_losses(study.name)}
        is_baseline = place.arm == plan.baseline
        fields = {
            "baseline": plan.baseline,
            "changes": arm_changes(plan, place.arm),
            "reasons": arm_reasons(study, arm),
            "imported_metric": (plan.metric or "") if study.imported else "",
            "baseline_loss": None if is_baseline else known.get((plan.baseline, place.seed)),
        }
    return RunFactsheet(
        run=run,
        place=place,
        metrics=run_metrics(store, run.id),
        attempts=store.attempts(run.id),
        curve=read_curve(store, run.id, folder),
        directory=folder / directory_name(run.id),
        **fields,
    )


def arm_factsheet(store: Store, report: Report, name: str, folder: Path) -> ArmFactsheet:
    """All that the page of an arm says; `folder` is that of all runs."""
    study, baseline = store.study(report.study), report.arms[0].name
    value, states = _values(report, name)
    runs = {(each.arm, each.seed): each for each in _find_done(store, study.name, (name, baseline))}
    shared = [seed for seed in states if (name, seed) in runs and (baseline, seed) in runs]
    metric = report.primary.name
    curves = [
        mean_curve([read_curve(store, runs[arm, seed].run.id, folder, metric) for seed in shared])
        for arm in (baseline, name)
    ]
    arm = next(each for each in store.arms(study.name) if each.name == name)
    return ArmFactsheet(
        report=report,
        arm=report.arm(name),
        changes=arm_changes(report.plan, name),
        reasons=arm_reasons(study, arm),
        seeds=[
            SeedRow(
                seed=seed,
                state=state,
                value=value.get((name, seed)),
                baseline=value.get((baseline, seed)),
            )
            for seed, state in states.items()
        ],
        differences={} if name == baseline else differences(*curves),
        curve=curves[0].metric,
        pairs=len(shared),
        cost=find_costs(store, study).arm(name),
    )


def _values(report: Report, arm: str) -> tuple[dict[tuple[str, int], float], dict[int, str]]:
    """The values of all runs by arm and seed, and the states of an arm's runs by seed."""
    frame = report.evidence.frame
    columns = (frame[name].tolist() for name in ("arm", "seed", "loss", "status"))
    rows = list(zip(*columns, strict=True))
    values = {(name, seed): loss for name, seed, loss, _ in rows if not math.isnan(loss)}
    return values, {seed: str(state) for name, seed, _, state in rows if name == arm}


def _find_done(store: Store, study: str, arms: tuple[str, ...]) -> list[PlannedRun]:
    """The runs of some arms that are done."""
    found = [planned for arm in dict.fromkeys(arms) for planned in store.study_runs(study, arm)]
    return [planned for planned in found if planned.run.state is RunState.DONE]
