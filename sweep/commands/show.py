"""`sweep show`: the page of a run or of an arm."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Console

from sweep.errors import NotFoundError
from sweep.reports.arm_page import arm_page
from sweep.reports.document import as_json, publish
from sweep.reports.factsheets import arm_factsheet, run_factsheet
from sweep.reports.page import print_page
from sweep.reports.run_page import run_page
from sweep.reports.verdict_json import report_json
from sweep.store.find_run import find_run
from sweep.store.ledger import directory_name
from sweep.store.metrics import count_points, run_metrics
from sweep.store.rows import FoundRun, StudyRow
from sweep.store.store import Store
from sweep.verdicts.arm_costs import find_costs
from sweep.verdicts.judge import make_report
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
        print_page(run_page(run_factsheet(store, run, workspace.folder)), console)
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


def _show_arm(
    workspace: Workspace, store: Store, study: StudyRow, request: ShowRequest, console: Console
) -> int:
    report = make_report(store, study)
    if request.form == "json":
        arms = report_json(report)["arms"]
        content = next(each for each in arms if each["arm"] == request.word)
        cost = asdict(find_costs(store, study).arm(request.word))
        publish(as_json({"study": study.name, **content, "cost": cost}), None, console)
        return 0
    print_page(arm_page(arm_factsheet(store, report, request.word, workspace.folder)), console)
    return 0
