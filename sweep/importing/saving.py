"""Storing of an import: new runs are added, and runs that had not ended are updated."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, inspect, select, update

from sweep.errors import ResultsError
from sweep.history.looks import looks_before
from sweep.history.record import save_content
from sweep.importing.factors import design_of
from sweep.importing.fields import Field
from sweep.importing.further_metrics import FurtherMetric, save_metrics
from sweep.importing.inserting import NewRuns, insert_members, insert_runs, update_runs
from sweep.importing.known_runs import (
    KnownRuns,
    count_runs,
    largest_seed,
    read_known_runs,
    run_ids,
)
from sweep.importing.numbering import number_seeds
from sweep.importing.reruns import save_reruns
from sweep.importing.run_table import RunTable
from sweep.importing.settings import Settings, check_guards, chosen_analysis, chosen_pairs
from sweep.importing.updating import Changed, find_changed
from sweep.metrics.metric import Direction
from sweep.store.plan_content import DesignContent, PlanContent
from sweep.store.rows import StudyRow
from sweep.store.schema import LONGEST_ARM_NAME, arms, plans, studies
from sweep.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

CACHE_KIB = 128 << 10
"""Page cache of SQLite: with less, the indexes of a million runs are written many times over."""
LARGEST_STUDY_FILE = 20_000
"""Runs. A larger study is not written to a file beside the database: its own file has them."""


@dataclass(frozen=True, kw_only=True)
class Import:
    """The runs of a file, and how they are to be stored."""

    study: str
    path: Path
    table: RunTable
    further: pd.DataFrame
    """The other columns, one row per row of the file."""
    baseline: str
    """The arm that the others are compared with, of this file or of an earlier one."""
    metric: str
    """The column that the losses come from."""
    direction: Direction
    """The direction in which it improves."""
    seed_fields: tuple[Field, ...]
    """Seeds that runs pair by."""
    settings: Settings
    reruns: RunTable
    """Exact reruns of these runs."""
    further_metrics: Sequence[FurtherMetric] = ()
    """Metrics beside the one that is compared."""
    replace: bool = False
    """True if runs that had ended get the results of this file."""
    design: DesignContent | None = None
    """The factors of a factorial."""


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The changes that an import made."""

    added: int
    known: int
    """Runs of the file that the study had already."""
    ended: int
    """Those of them that had not ended before, and have another result now."""
    replaced: int
    """Those of them that had ended with another result, which was replaced."""
    plan: PlanContent
    """The study's plan."""


def save_import(store: Store, new: Import) -> Saved:
    """Add the runs that the study does not have: all of them or, if one contradicts it, none.

    Raises ResultsError if the study was trained here, a run that had ended has another result, seeds
    come from other columns.
    """
    with store.write() as connection:
        if store.file:
            connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
        _widen_names(connection, new)
        earlier = earlier_plan(connection, new)
        counts = count_runs(connection, new.study)
        fresh, changed = _compare(new, read_known_runs(connection, new.study, counts))
        fresh, labels = _numbered(connection, new, fresh, earlier)
        plan = _plan(new, earlier, _add_counts(counts, new, fresh), labels)
        plan = replace(plan, replaced=[*plan.replaced, *changed.replaced()])
        save_study(connection, new, plan)
        arm_ids = _save_arms(connection, new.study, plan)
        insert_runs(connection, new.study, fresh, new.further)
        insert_members(connection, fresh, arm_ids)
        save_reruns(connection, new.study, new.reruns)
        update_runs(connection, NewRuns(ids=changed.ids, table=changed.table), new.further)
        metrics = new.further_metrics
        save_metrics(connection, new.study, new.table, metrics, replace=new.replace)
        if sum(plan.arms.values()) <= LARGEST_STUDY_FILE:
            store.write_study_file(connection, new.study)
    added = len(fresh.table)
    replaced = int(changed.had_ended.sum())
    return Saved(
        added=added,
        known=len(new.table) - added,
        ended=len(changed.ids) - replaced,
        replaced=replaced,
        plan=plan,
    )


def _widen_names(connection: Connection, new: Import) -> None:
    """Make room for long names in a PostgreSQL database of an older version; SQLite has room."""
    if connection.dialect.name == "sqlite":
        return
    column = next(
        each for each in inspect(connection).get_columns("arms") if each["name"] == "name"
    )
    room = getattr(column["type"], "length", None)
    if room is not None and room < int(new.table.arm.str.len().max()):
        kind = f"VARCHAR({LONGEST_ARM_NAME})"
        connection.exec_driver_sql(f"ALTER TABLE arms ALTER COLUMN name TYPE {kind}")


def earlier_plan(connection: Connection, new: Import) -> PlanContent | None:
    """Return the study's plan before this import; None for a new study. Raises ResultsError."""
    row = connection.execute(select(studies).where(studies.c.name == new.study)).mappings().first()
    if row is None:
        return None
    study = StudyRow(**row)
    if not study.imported:
        raise ResultsError(
            f"study {new.study!r} was trained here ({study.path}), and imported runs would pass "
            "for its results; choose another name with --study"
        )
    same = (plans.c.study == new.study) & (plans.c.hash == study.plan_hash)
    content = connection.execute(select(plans.c.content).where(same)).scalar_one()
    earlier = PlanContent.from_json(content)
    before, now = list(earlier.seed_columns), [field.value for field in new.seed_fields]
    if before != now:
        without = "" if before else ", or leave the seeds out with --column seed=-"
        raise ResultsError(
            f"{new.path} has seeds in {now or 'no column'}, and the runs that {new.study!r} has "
            f"already had them in {before or 'none'}, so they cannot be told apart; choose another "
            f"name with --study{without}"
        )
    return earlier


def _compare(new: Import, known: KnownRuns) -> tuple[NewRuns, Changed]:
    """Return the runs that the study does not have, by id, and those that have changed.

    Raises ResultsError if one has changed that had ended, unless it is to be replaced.
    """
    ids = run_ids(new.study, new.table)
    order = ids.argsort()  # an index is filled fastest from left to right
    places = known.places(ids[order])
    old, fresh = order[places >= 0], order[places < 0]
    changed = find_changed(ids[old], new.table.take(old), known, places[places >= 0])
    if not new.replace:
        changed.check(str(new.path), new.study)
    return NewRuns(ids=ids[fresh], table=new.table.take(fresh)), changed


def _numbered(
    connection: Connection, new: Import, fresh: NewRuns, earlier: PlanContent | None
) -> tuple[NewRuns, dict[str, int]]:
    """Return the runs with a seed each, and the numbers that stand for other seeds."""
    top = largest_seed(connection, new.study)
    labels = earlier.labels if earlier else {}
    seeds, labels = number_seeds(fresh.table, top, labels, paired=bool(new.seed_fields))
    return replace(fresh, table=replace(fresh.table, seed=seeds)), labels


def _add_counts(before: Mapping[str, int], new: Import, fresh: NewRuns) -> dict[str, int]:
    """Return the runs of each arm after the import: known arms first, then in the file's order."""
    added = fresh.table.arm.value_counts()
    names = dict.fromkeys([*before, *new.table.arm.unique()])
    return {name: before.get(name, 0) + int(added.get(name, 0)) for name in names}


def _plan(
    new: Import, earlier: PlanContent | None, counts: Mapping[str, int], labels: Mapping[str, int]
) -> PlanContent:
    metrics = {each.metric.name: each.metric for each in new.further_metrics}
    return PlanContent(
        study=new.study,
        imported=True,
        metrics={**(earlier.metrics if earlier else {}), **metrics},
        metric=new.metric,
        direction=new.direction,
        baseline=new.baseline,
        analysis=chosen_analysis(new.settings, earlier),
        seed_columns=[field.value for field in new.seed_fields],
        pairs=chosen_pairs(new.settings, earlier),
        labels=labels,
        replaced=earlier.replaced if earlier else (),
        design=design_of(new.design, earlier.design if earlier else None),
        arms={new.baseline: counts[new.baseline], **counts},
    )


def _plan_json(plan: PlanContent) -> dict[str, Any]:
    """Return the plan as the database stores it; `PlanContent.from_json` reads it."""
    content = {
        "study": plan.study,
        "imported": plan.imported,
        "metric": plan.metric,
        "baseline": plan.baseline,
        "analysis": plan.analysis.json(),
        "seed_columns": list(plan.seed_columns),
        "labels": dict(plan.labels),
        "arms": dict(plan.arms),
        **({"design": asdict(plan.design)} if plan.design else {}),
    }
    if plan.replaced:
        content["replaced"] = list(plan.replaced)
    if plan.direction is not Direction.MINIMIZE:  # without it, hashes of older plans stay the same
        content["direction"] = plan.direction.value
    if not plan.pairs:  # as above
        content["pairs"] = False
    if plan.metrics:  # as above
        content["metrics"] = {name: metric.json for name, metric in plan.metrics.items()}
    return content


def save_study(
    connection: Connection, new: Import, plan: PlanContent, *, keep_path: bool = False
) -> None:
    """Store the plan and the row of a study; raises ResultsError for a guard of no metric."""
    check_guards(plan)
    content = _plan_json(plan)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    looks = looks_before(connection, plan, digest)
    now = time.time()
    row: dict[str, Any] = {"plan_hash": digest, "last_run": now, "imported": True}
    row |= {} if keep_path else {"path": str(new.path.resolve())}
    known = connection.execute(
        update(studies).where(studies.c.name == new.study).values(**row)
    ).rowcount
    if not known:
        connection.execute(insert(studies).values(name=new.study, **row))
    save_content(connection, digest, content, looks)


def _save_arms(connection: Connection, study: str, plan: PlanContent) -> dict[str, int]:
    """Insert or update the arms, the baseline first; returns their ids by name."""
    query = select(arms.c.name, arms.c.id).where(arms.c.study == study)
    before = {name for name, _ in connection.execute(query)}
    for position, name in enumerate(plan.arms):
        interventions = [] if name == plan.baseline else [name]
        values = {"position": position, "interventions": interventions, "changes": {}}
        if name in before:
            same = (arms.c.study == study) & (arms.c.name == name)
            connection.execute(update(arms).where(same).values(**values))
        else:
            connection.execute(insert(arms).values(study=study, name=name, **values))
    return dict(connection.execute(query).all())
