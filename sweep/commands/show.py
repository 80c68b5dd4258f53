"""`sweep show`: the page of a run or of an arm."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console

from sweep.errors import NotFoundError
from sweep.reports.arm_page import ArmFactsheet, SeedRow, arm_page
from sweep.reports.document import as_json, publish
from sweep.reports.page import print_page
from sweep.reports.run_page import RunFactsheet, run_page
from sweep.reports.verdict_json import report_json
from sweep.store.find_run import find_run
from sweep.store.ledger import directory_name
from sweep.store.metrics import count_points, run_metrics
from sweep.store.places import places_of_run
from sweep.store.rows import FoundRun, PlannedRun, StudyRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.verdicts.arm_changes import arm_changes, arm_reasons
from sweep.verdicts.curves import differences, mean_curve, read_curve
from sweep.verdicts.judge import Report, make_report
from sweep.workspace import Workspace
from trainer.words import counted


@dataclass(frozen=True)
class ShowRequest:
    """The arguments of `sweep show`."""

    word: str
    """A run or an arm."""
    study: str | None = None
    form: Literal["table", "json"] = "table"


def show(workspace: Workspace, request: ShowRequest, console: Console) -> int:
    """Print the page of a run or an arm, or all that is known about it as JSON."""
    store = workspace.open_to_read()
    study = workspace.study_name(request.study)
    if found := arm_of(store, request.word, study):
        return _show_arm(workspace, store, found, request, console)
    run = find_run(store, request.word, study)
    if request.form == "json":
        console.print_json(json.dumps(_run_json(workspace, store, run)))
    else:
        print_page(run_page(_run_sheet(workspace, store, run)), console)
    return 0


def arm_of(store: Store, word: str, study: str | None) -> StudyRow | None:
    """The study that has an arm of this name: the named one, the one last run, or the only other."""
    known = [store.study(study)] if study else store.studies()
    having = [each for each in known if word in {arm.name for arm in store.arms(each.name)}]
    if not having or known[0] in having:
        return having[0] if having else None
    if len(having) > 1:
        names = ", ".join(each.name for each in having)
        raise NotFoundError(f"{names} have an arm {word!r}; say which with --study STUDY")
    return having[0]


def _run_json(workspace: Workspace, store: Store, found: FoundRun) -> dict[str, Any]:
    run, place = found.run, found.place
    return {
        **({"study": place.study, "arm": place.arm, "seed": place.seed} if place else {}),
        **vars(run),
        "attempts": [vars(attempt) for attempt in store.attempts(run.id)],
        "chunk_losses": f"{len(store.chunk_losses(run.id))} in the table chunk_losses",
        "metrics": run_metrics(store, run.id),
        "curve": f"{counted(len(store.curve(run.id)), 'point')} in the table curves",
        "metric_points": f"{counted(count_points(store, run.id), 'point')} in the table metric_points",
        "directory": str(workspace.folder / directory_name(run.id)),
    }


def _run_sheet(workspace: Workspace, store: Store, found: FoundRun) -> RunFactsheet:
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
        curve=read_curve(store, run.id, workspace.folder),
        directory=workspace.folder / directory_name(run.id),
        **fields,
    )


def _show_arm(
    workspace: Workspace, store: Store, study: StudyRow, request: ShowRequest, console: Console
) -> int:
    report = make_report(store, study)
    if request.form == "json":
        arms = report_json(report)["arms"]
        content = next(each for each in arms if each["arm"] == request.word)
        publish(as_json({"study": study.name, **content}), None, console)
        return 0
    print_page(arm_page(_arm_sheet(workspace, store, report, request.word)), console)
    return 0


def _arm_sheet(workspace: Workspace, store: Store, report: Report, name: str) -> ArmFactsheet:
    study, baseline = store.study(report.study), report.arms[0].name
    value, states = _values(report, name)
    runs = {(each.arm, each.seed): each for each in find_done(store, study.name, (name, baseline))}
    shared = [seed for seed in states if (name, seed) in runs and (baseline, seed) in runs]
    folder, metric = workspace.folder, report.primary.name
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
    )


def _values(report: Report, arm: str) -> tuple[dict[tuple[str, int], float], dict[int, str]]:
    """The values of all runs by arm and seed, and the states of an arm's runs by seed."""
    frame = report.evidence.frame
    columns = (frame[name].tolist() for name in ("arm", "seed", "loss", "status"))
    rows = list(zip(*columns, strict=True))
    values = {(name, seed): loss for name, seed, loss, _ in rows if not math.isnan(loss)}
    return values, {seed: str(state) for name, seed, _, state in rows if name == arm}


def find_done(store: Store, study: str, arms: tuple[str, ...]) -> list[PlannedRun]:
    """The runs of some arms that are done."""
    found = [planned for arm in dict.fromkeys(arms) for planned in store.study_runs(study, arm)]
    return [planned for planned in found if planned.run.state is RunState.DONE]
