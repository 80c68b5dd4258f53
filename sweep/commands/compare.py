"""`sweep compare`: two runs, arms or studies side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console

from sweep.commands.show import arm_of
from sweep.errors import NotFoundError
from sweep.metrics.registry import PRIMARY
from sweep.reports.comparison_page import comparison_json, comparison_page
from sweep.reports.document import as_json, publish
from sweep.reports.page import print_page
from sweep.reports.steps_text import step_line
from sweep.reports.studies_page import studies_json, studies_page
from sweep.reports.verdict_columns import verdict_cell
from sweep.store.find_run import find_run
from sweep.store.places import places_of_run
from sweep.store.rows import StudyRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.verdicts.comparison import Side, compare
from sweep.verdicts.judge import make_report
from sweep.workspace import Workspace, is_path


@dataclass(frozen=True)
class CompareRequest:
    """The arguments of `sweep compare`."""

    first: str
    second: str
    study: str | None = None
    form: Literal["table", "json"] = "table"


def compare_two(workspace: Workspace, request: CompareRequest, console: Console) -> int:
    """Print what differs between two runs, two arms, or two studies. Raises NotFoundError."""
    store = workspace.open_to_read()
    studies = [_study_of(workspace, store, word) for word in (request.first, request.second)]
    if all(studies):
        first, second = (make_report(store, each) for each in studies if each)
        if request.form == "json":
            publish(as_json(studies_json(first, second)), None, console)
        else:
            print_page(studies_page(first, second), console)
        return 0
    named = workspace.study_name(request.study)
    sides = [_side(store, word, named) for word in (request.first, request.second)]
    metrics = {store.plan(study).primary.name if study else PRIMARY.name for _, study in sides}
    if len(metrics) > 1:
        raise NotFoundError(
            f"{request.first} and {request.second} belong to studies with different metrics "
            f"({', '.join(sorted(metrics))}), and cannot be compared"
        )
    made = compare(store, workspace.folder, sides[0][0], sides[1][0], metrics.pop())
    if request.form == "json":
        publish(as_json(comparison_json(made)), None, console)
    else:
        print_page(comparison_page(made, _verdict(store, sides)), console)
    return 0


def _study_of(workspace: Workspace, store: Store, word: str) -> StudyRow | None:
    """The study that a word names; None if it is the name of something else."""
    name = workspace.study_name(word) if is_path(word) and word.endswith(".toml") else word
    return store.study_if_any(name or word)


def _side(store: Store, word: str, study: str | None) -> tuple[Side, StudyRow | None]:
    """The runs that a word names, and their study. Raises NotFoundError."""
    if found := arm_of(store, word, study):
        plan = store.plan(found)
        done = {
            planned.seed: planned.run
            for planned in store.study_runs(found.name, word)
            if planned.run.state is RunState.DONE
        }
        return Side(word, _recipe(plan.arms.get(word)), done), found
    run = find_run(store, word, study)
    place = run.place or next(iter(places_of_run(store, run.run.id)), None)
    seed = place.seed if place else run.run.init_seed
    name = f"{place.arm}/{place.seed}" if place else run.run.id[:12]
    side = Side(name, _recipe(run.run.recipe), {seed: run.run}, is_run=True)
    return side, store.study(place.study) if place else None


def _recipe(stored: Any) -> Mapping[str, Any]:  # noqa: ANN401  (JSON)
    """A stored recipe; empty for an import, which has none."""
    return stored if isinstance(stored, Mapping) else {}


def _verdict(store: Store, sides: list[tuple[Side, StudyRow | None]]) -> str:
    """What the report says of an arm beside its baseline, or beside the arm that it adds to."""
    (first, study), (second, other) = sides
    if study is None or other is None or study.name != other.name:
        return ""
    report = make_report(store, study)
    arms = {arm.name: arm for arm in report.arms}
    if first.name != report.arms[0].name or second.name not in arms:
        return step_line(report, first.name, second.name)
    verdict = verdict_cell(arms[second.name])
    return f"Verdict of {study.name}: {verdict or 'none yet'}."
