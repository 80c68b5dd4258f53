"""Storing of an import: new runs are added if the study's other runs are as they were."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from sweep.errors import ResultsError
from sweep.history.record import save_content
from sweep.importing.fields import Field
from sweep.importing.inserting import NewRuns, insert_members, insert_runs
from sweep.importing.known_runs import (
    KnownRuns,
    count_runs,
    largest_seed,
    read_known_runs,
    run_ids,
)
from sweep.importing.numbering import number_seeds
from sweep.importing.run_table import RunTable, outcome
from sweep.importing.runs import NO_LOSS
from sweep.importing.settings import Settings, chosen_analysis
from sweep.metrics.metric import Direction
from sweep.store.plan_content import PlanContent
from sweep.store.rows import StudyRow
from sweep.store.schema import arms, plans, studies
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

CACHE_KIB = 128 << 10
"""Page cache of SQLite: with less, the indexes of a million runs are written many times over."""
POSTGRESQL_NAME = 64
"""Characters of the column with an arm's name; SQLite does not check them."""
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


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The changes that an import made."""

    added: int
    known: int
    """Runs of the file that the study had already."""
    plan: PlanContent
    """The study's plan."""


def save_import(store: Store, new: Import) -> Saved:
    """Add the runs that the study does not have: all of them or, if one contradicts it, none.

    Raises ResultsError if the study was trained here, a run has another loss than it had, seeds
    come from other columns.
    """
    with store.write() as connection:
        if store.file:
            connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
        _check_names(connection, new)
        earlier = _earlier_plan(connection, new)
        counts = count_runs(connection, new.study)
        fresh = _new_runs(new, read_known_runs(connection, new.study, counts))
        fresh, labels = _numbered(connection, new, fresh, earlier)
        plan = _plan(new, earlier, _add_counts(counts, new, fresh), labels)
        _save_study(connection, new, plan)
        arm_ids = _save_arms(connection, new.study, plan)
        insert_runs(connection, new.study, fresh, new.further)
        insert_members(connection, fresh, arm_ids)
        if sum(plan.arms.values()) <= LARGEST_STUDY_FILE:
            store.write_study_file(connection, new.study)
    added = len(fresh.table)
    return Saved(added=added, known=len(new.table) - added, plan=plan)


def _check_names(connection: Connection, new: Import) -> None:
    """Raise ResultsError for a name that does not fit into a PostgreSQL column; SQLite's all do."""
    longest = max(new.table.arm.unique(), key=len)
    if connection.dialect.name != "sqlite" and len(longest) > POSTGRESQL_NAME:
        raise ResultsError(
            f"{new.path} has an arm of {len(longest)} characters, {shown(longest)}, and PostgreSQL "
            f"takes {POSTGRESQL_NAME}; import it into a SQLite database (without --db), or "
            "shorten the name"
        )


def _earlier_plan(connection: Connection, new: Import) -> PlanContent | None:
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
        raise ResultsError(
            f"{new.path} has seeds in {now or 'no column'}, and the runs that {new.study!r} has "
            f"already had them in {before or 'none'}, so they cannot be told apart; choose another "
            "name with --study"
        )
    return earlier


def _new_runs(new: Import, known: KnownRuns) -> NewRuns:
    """Return the runs that the study does not have, by id. Raises ResultsError for a conflict."""
    ids = run_ids(new.study, new.table)
    order = ids.argsort()  # an index is filled fastest from left to right
    places = known.places(ids[order])
    _check_agreement(new, order[places >= 0], known, places[places >= 0])
    fresh = order[places < 0]
    return NewRuns(ids=ids[fresh], table=new.table.take(fresh))


def _check_agreement(
    new: Import, rows: NDArray[np.intp], known: KnownRuns, places: NDArray[np.intp]
) -> None:
    """Raise ResultsError if runs of the file, at `rows`, end otherwise than they did at `places`."""
    losses, states = new.table.loss.to_numpy()[rows], new.table.state.to_numpy()[rows]
    other_loss = (states == RunState.DONE) & (losses != known.losses[places])
    # Until 0.1.0 a run without a loss had diverged; now it has failed.
    lost = (new.table.cause.to_numpy()[rows] == NO_LOSS) & (
        known.states[places] == RunState.DIVERGED
    )
    differing = (other_loss | ((states != known.states[places]) & ~lost)).nonzero()[0]
    if not differing.size:
        return
    first = differing[rows[differing].argmin()]
    place, before = int(rows[first]), int(places[first])
    raise ResultsError(
        f"{new.path}: row {new.table.row[place]} gives {new.table.describe(place)} "
        f"{new.table.outcome(place)}, and study {new.study!r} has it with "
        f"{outcome(known.states[before], known.losses[before])}; correct the file, or choose "
        "another name with --study"
    )


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
    return PlanContent(
        study=new.study,
        imported=True,
        metric=new.metric,
        direction=new.direction,
        baseline=new.baseline,
        analysis=chosen_analysis(new.settings, earlier),
        seed_columns=[field.value for field in new.seed_fields],
        labels=labels,
        arms={new.baseline: counts[new.baseline], **counts},
    )


def _plan_json(plan: PlanContent) -> dict[str, Any]:
    """Return the plan as the database stores it; `PlanContent.from_json` reads it."""
    content = {
        "study": plan.study,
        "imported": plan.imported,
        "metric": plan.metric,
        "baseline": plan.baseline,
        "analysis": asdict(plan.analysis),
        "seed_columns": list(plan.seed_columns),
        "labels": dict(plan.labels),
        "arms": dict(plan.arms),
    }
    if plan.direction is not Direction.MINIMIZE:  # without it, hashes of older plans stay the same
        content["direction"] = plan.direction.value
    return content


def _save_study(connection: Connection, new: Import, plan: PlanContent) -> None:
    content = _plan_json(plan)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    now = time.time()
    row = {"path": str(new.path.resolve()), "plan_hash": digest, "last_run": now, "imported": True}
    known = connection.execute(
        update(studies).where(studies.c.name == new.study).values(**row)
    ).rowcount
    if not known:
        connection.execute(insert(studies).values(name=new.study, **row))
    save_content(connection, new.study, digest, content)


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
