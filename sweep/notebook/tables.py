"""The rows of the tables for notebooks, as JSON values. `sweep.notebook.columns` has their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from sweep.commands.plan import PlanRequest, make_forecast
from sweep.errors import ResultsError
from sweep.noise.records import Record, records
from sweep.noise.results import COMPONENT_KEYS, StreamDecomposition
from sweep.notebook.columns import CURVES, EFFECTS, NOISE
from sweep.reports.document import finite
from sweep.reports.verdict_json import report_records
from sweep.store.metrics import study_metrics
from sweep.store.schema import arms, curves, members, metric_points
from sweep.store.store import Store
from sweep.verdicts.judge import Report, make_report
from sweep.workspace import Workspace
from trainer.recipe_forms import to_dotted

Rows = list[dict[str, Any]]


def runs_of(store: Store, study: str | None) -> Rows:
    """The runs of a study with arm, seed, metrics, fields, and everything recorded about them."""
    name = store.study(study).name
    metrics = study_metrics(store, name)
    return [
        {
            "arm": each.arm,
            "seed": each.seed,
            **vars(each.run),
            **_machine(each.run.provenance),
            "metrics": metrics.get(each.run.id, {}),
            "fields": _fields(each.run.recipe),
        }
        for each in store.study_runs(name)
    ]


def _machine(provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    known = provenance or {}
    return {"device": known.get("device"), "torch": known.get("versions", {}).get("torch")}


def _fields(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a recipe as a study file names them, or the parameters of a script."""
    if (parameters := recipe.get("parameters")) is not None:
        return dict(parameters)
    return to_dotted(
        {
            name: content
            for name, content in recipe.items()
            if name != "seeds" and isinstance(content, Mapping)
        }
    )


def curve_points(store: Store, study: str | None) -> Rows:
    """The points of all curves of a study, those of the built-in trainer and those of scripts."""
    name = store.study(study).name
    points: dict[tuple[str, int, str, int], dict[str, Any]] = {}
    own = [curves.c[column] for column in CURVES if column in curves.c and column != "step"]
    for arm, seed, run, step, *values in _of_members(store, name, curves, own):
        columns = [column.name for column in own]
        points[arm, seed, run, step] = dict(zip(columns, values, strict=True))
    named = [metric_points.c.name, metric_points.c.value]
    for arm, seed, run, step, metric, value in _of_members(store, name, metric_points, named):
        column = f"metrics.{metric}" if metric in CURVES else metric
        points.setdefault((arm, seed, run, step), {})[column] = value
    return [
        {"arm": arm, "seed": seed, "run": run, "step": step, **values}
        for (arm, seed, run, step), values in points.items()
    ]


def _of_members(store: Store, study: str, table: Any, columns: list[Any]) -> Iterator[Any]:  # noqa: ANN401  (SQLAlchemy's own)
    """Arm, seed, run, step and columns of a table, arm by arm in the study's order."""
    query = (
        select(arms.c.name, members.c.seed, members.c.run_id, table.c.step, *columns)
        .select_from(arms.join(members).join(table, table.c.run_id == members.c.run_id))
        .where(arms.c.study == study)
        .order_by(arms.c.position, members.c.seed, table.c.step)
    )
    with store.begin() as connection:
        yield from connection.execute(query)


def effects_of(store: Store, study: str | None) -> Rows:
    """The verdicts on a study: what `sweep report --format csv` has, in fewer columns."""
    report = _report(store, study)
    guards = tuple(f"guard_{guard.metric.name}_" for guard in report.guards)
    return [
        {key: value for key, value in _named(record).items() if _is_shown(key, guards)}
        for record in report_records(report)
        if record.get("verdict") != "reference"
    ]


def _report(store: Store, study: str | None) -> Report:
    """The report on a study. Raises ResultsError for the trials of a search."""
    row = store.study(study)
    if store.plan(row).search is not None:
        raise ResultsError(f"{row.name} has the trials of a search, which are no arms; load them")
    return make_report(store, row)


def _named(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of an arm, or of an effect of a factorial, with the columns of `EFFECTS`."""
    arm = record.get("arm", record.get("name"))
    interventions = record.get("interventions")
    joined = ", ".join(interventions) if isinstance(interventions, list) else interventions
    return {**record, "arm": arm, "interventions": joined}


def _is_shown(column: str, guards: tuple[str, ...]) -> bool:
    return column in EFFECTS or (bool(guards) and column.startswith(guards))


def noise_of(store: Store, study: str | None) -> Rows:
    """The noise that `sweep noise` measured for a study, or else that of its baseline's runs."""
    name = store.study(study).name
    own = [record for record in records(store) if record.study == name]
    if own:
        return list(_measured(own[0]))
    noise = _report(store, name).judgement.noise
    if noise is None:
        return []
    found = {key: getattr(noise, key) for key in NOISE if hasattr(noise, key)}
    return [finite({"study": name, "stream": "all", "source": "runs", **found})]


def _measured(record: Record) -> Iterator[dict[str, Any]]:
    """A row for all noise on record, and one for each stream that was measured by itself."""
    shared = {
        "study": record.study,
        "source": "sweep noise",
        "device": record.setting.device,
        "measured": record.measured,
    }
    found = {key: getattr(record.noise, key) for key in NOISE if hasattr(record.noise, key)}
    yield finite({**shared, "stream": "all", **found})
    parts = record.decomposition
    if isinstance(parts, StreamDecomposition):
        for name, stream in parts.streams.items():
            values = {key: getattr(stream, key) for key in COMPONENT_KEYS}
            yield finite({**shared, "stream": name, "n": parts.n, **values})


def arms_planned(workspace: Workspace, study: str | None) -> Rows:
    """The arms of a study file, or of a study that was run, and what they can detect."""
    request = PlanRequest(study=workspace.study_file(study), slots=1, overrides={})
    outline = make_forecast(workspace, request).outline
    visible = outline.power.visible.arms if outline.power else ()
    effects = {each.arm: each.effect for each in visible}
    return [
        {
            **asdict(each),
            "study": outline.plan.study.name,
            "changes": ", ".join(f"{field} = {value!r}" for field, value in each.changes.items()),
            "visible_effect": effects.get(each.arm),
        }
        for each in outline.arms()
    ]
