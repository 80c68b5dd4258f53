"""Runs from a file into the store: those that are new, if the others are as they were."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select, update

from sweep.errors import ResultsError, did_you_mean
from sweep.history.record import save_content
from sweep.importing.inserting import BATCH, family_of, insert_members, insert_runs
from sweep.importing.runs import outcome, run_name
from sweep.store.schema import arms, members, plans, runs, studies
from sweep.store.store import Store
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

CACHE_KIB = 128 << 10
"""Of SQLite, so that the indexes of a million runs are not written again and again."""
WRITTEN_DOWN = 20_000
"""A study of more runs is not kept as a file beside the database: the one that it came from is."""


@dataclass(frozen=True, kw_only=True)
class Import:
    """A file's runs with what was decided about them."""

    study: str
    path: Path
    runs: pd.DataFrame
    """As `importing.runs.Runs.frame` has them."""
    further: pd.DataFrame
    """The other columns, by row of the file from 0."""
    metric: str
    """The column that the losses come from."""
    seed_columns: tuple[str, ...]
    settings: Mapping[str, Any]
    """`baseline`, `alpha`, `correction`, `smallest_effect`; those not decided are left out."""


DEFAULTS = {"baseline": "baseline", "alpha": 0.05, "correction": "holm", "smallest_effect": 0.0}
"""What is not decided at the first import of a study; later ones keep what was."""


@dataclass(frozen=True)
class Saved:
    """What an import has changed."""

    added: int
    known: int
    """Runs of the file that the study had already."""
    content: Mapping[str, Any]
    """The study's plan."""


def save_import(store: Store, new: Import) -> Saved:
    """Add the runs that the study does not have; all of them or, when one contradicts, none.

    Raises ResultsError: the study was trained here, a run has another loss than it had, seeds come
    from other columns, there is no such baseline, or nothing to compare it with.
    """
    with store.write() as connection:
        if store.file:
            connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
        earlier = _earlier(connection, new)
        frame = new.runs.assign(id=_identities(new))
        frame = frame.sort_values("id", ignore_index=True)  # an index is filled from left to right
        before = _counts(connection, new.study)
        ids, known = _known(connection, new.study, list(before))
        places = _places(ids, frame["id"].to_numpy("S32"))
        _check_agreement(frame[places >= 0], known.iloc[places[places >= 0]], new)
        fresh = frame[places < 0]
        labels: dict[str, int] = dict(earlier.get("labels", {}))
        top = _largest_seed(connection, new.study)
        fresh = fresh.assign(seed=_seeds(fresh, top, labels, new.seed_columns))
        added = fresh["arm"].value_counts().to_dict()
        names = dict.fromkeys([*before, *new.runs["arm"].unique()])
        counts = {name: before.get(name, 0) + added.get(name, 0) for name in names}
        content = _content(new, earlier, counts, labels)
        _save_study(connection, new, content)
        arm_ids = _save_arms(connection, new.study, content)
        insert_runs(connection, new.study, fresh, new.further)
        insert_members(connection, fresh, arm_ids)
        if sum(counts.values()) <= WRITTEN_DOWN:
            store.write_down(connection, new.study)
    return Saved(len(fresh), len(frame) - len(fresh), content)


def _earlier(connection: Connection, new: Import) -> dict[str, Any]:
    """The plan of the study as it was imported so far; nothing for a new one."""
    row = connection.execute(select(studies).where(studies.c.name == new.study)).mappings().first()
    if row is None:
        return {}
    if not row["imported"]:
        raise ResultsError(
            f"study {new.study!r} was trained here ({row['path']}), and what is imported would pass "
            "for its results; choose another name with --study"
        )
    same = (plans.c.study == new.study) & (plans.c.hash == row["plan_hash"])
    content: dict[str, Any] = connection.execute(select(plans.c.content).where(same)).scalar_one()
    before, now = content["seed_columns"], list(new.seed_columns)
    if before != now:
        raise ResultsError(
            f"{new.path} has seeds in {now or 'no column'}, and the runs that {new.study!r} has "
            f"already had them in {before or 'none'}, so they cannot be told apart; choose another "
            "name with --study"
        )
    return content


def _identities(new: Import) -> list[str]:
    """A run is known by its study, arm and label; without a label by its place in the arm."""
    frame = new.runs
    places = frame[frame["label"].isna()].groupby("arm").cumcount() + 1
    labels = frame["label"].fillna("#" + places.astype("str"))
    return [
        hashlib.sha256(f"{new.study}\0{arm}\0{label}".encode()).hexdigest()[:32]
        for arm, label in zip(frame["arm"].tolist(), labels.tolist(), strict=True)
    ]


def _counts(connection: Connection, study: str) -> dict[str, int]:
    """The runs that the study has by arm, in the order of its arms."""
    query = (
        select(arms.c.name, func.count(members.c.seed))
        .join(members, members.c.arm_id == arms.c.id)
        .where(arms.c.study == study)
        .group_by(arms.c.name, arms.c.position)
        .order_by(arms.c.position)
    )
    return {str(name): int(count) for name, count in connection.execute(query)}


def _largest_seed(connection: Connection, study: str) -> int:
    query = (
        select(func.max(members.c.seed))
        .join(arms, arms.c.id == members.c.arm_id)
        .where(arms.c.study == study)
    )
    return connection.execute(query).scalar() or 0


def _known(
    connection: Connection, study: str, names: Sequence[str]
) -> tuple[NDArray[np.bytes_], pd.DataFrame]:
    """The ids of the study's runs, 32 bytes each, and a frame of their `loss` and `status`."""
    import numpy as np
    import pandas as pd

    columns = ["id", "loss", "status"]
    frames = [pd.DataFrame(columns=columns)]
    for name in names:
        query = select(runs.c.id, runs.c.test_loss, runs.c.state)
        rows = connection.execute(query.where(runs.c.family == family_of(study, name)))
        parts = rows.partitions(BATCH)  # of Python objects; columns are smaller
        frames += [pd.DataFrame.from_records(some, columns=columns) for some in parts]
    table = pd.concat(frames[1:] or frames, ignore_index=True).astype({"loss": "float64"})
    return np.array(table.pop("id"), "S32"), table


def _places(known: NDArray[np.bytes_], wanted: NDArray[np.bytes_]) -> NDArray[np.intp]:
    """Where in `known` each of `wanted` is, or -1: an index of text would take twice the memory."""
    import numpy as np

    if not known.size:
        return np.full(wanted.shape, -1)
    order = np.argsort(known)
    found = order[np.searchsorted(known, wanted, sorter=order).clip(max=known.size - 1)]
    return np.where(known[found] == wanted, found, -1)


def _check_agreement(frame: pd.DataFrame, known: pd.DataFrame, new: Import) -> None:
    """Whether runs end here as they do there, row by row."""
    losses, statuses = known["loss"].to_numpy(), known["status"].to_numpy()
    done = frame["status"].to_numpy() == "done"
    other_loss = done & (frame["loss"].to_numpy() != losses)
    differing = (other_loss | (frame["status"].to_numpy() != statuses)).nonzero()[0]
    if not differing.size:
        return
    place = int(differing[frame["row"].to_numpy()[differing].argmin()])
    row = frame.iloc[place]
    before = {"loss": losses[place], "status": statuses[place]}
    raise ResultsError(
        f"{new.path}: row {row['row']} gives {run_name(row)} {outcome(row)}, and study "
        f"{new.study!r} has it with {outcome(before)}; correct the file, or choose another name "
        "with --study"
    )


def _seeds(
    fresh: pd.DataFrame, top: int, labels: dict[str, int], columns: tuple[str, ...]
) -> pd.Series[Any]:
    """A number for every new run. Runs pair by it, so those without a seed get one of their own."""
    given = fresh["seed"].dropna()
    top = max([top, *labels.values()])
    top = max(top, int(given.max())) if len(given) else top
    found: list[int] = []
    order = fresh.sort_values("row")
    for seed, label in zip(order["seed"].tolist(), order["label"].tolist(), strict=True):
        if isinstance(seed, int):
            found.append(seed)
            continue
        number = labels.get(label) if columns else None
        if number is None:
            top = number = top + 1
            if columns and isinstance(label, str):
                labels[label] = number
        found.append(number)
    return order.assign(seed=found)["seed"].reindex(fresh.index)


def _content(
    new: Import, earlier: Mapping[str, Any], counts: dict[str, int], labels: dict[str, int]
) -> dict[str, Any]:
    before = {**earlier.get("analysis", {}), "baseline": earlier.get("baseline")}
    settings = {
        key: new.settings.get(key, before.get(key) if earlier else default)
        for key, default in DEFAULTS.items()
    }
    baseline = settings.pop("baseline")
    _check_arms(new, baseline, list(counts))
    return {
        "study": new.study,
        "imported": True,
        "metric": new.metric,
        "baseline": baseline,
        "analysis": settings,
        "seed_columns": list(new.seed_columns),
        "labels": labels,
        "arms": {baseline: counts[baseline], **counts},
    }


def _check_arms(new: Import, baseline: str, names: list[str]) -> None:
    listed = ", ".join(shown(name) for name in names[:20]) + (", …" if len(names) > 20 else "")
    if baseline not in names:
        raise ResultsError(
            f"{new.path} has no arm {shown(baseline)} to compare the others with"
            f"{did_you_mean(baseline, names)} (it has: {listed}); name it with --baseline NAME"
        )
    if len(names) == 1:
        raise ResultsError(
            f"{new.path} has one arm only, {listed}, and nothing to compare it with; a study has a "
            "baseline and at least one other arm"
        )


def _save_study(connection: Connection, new: Import, content: dict[str, Any]) -> None:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    now = time.time()
    row = {"path": str(new.path.resolve()), "plan_hash": digest, "last_run": now, "imported": True}
    known = connection.execute(
        update(studies).where(studies.c.name == new.study).values(**row)
    ).rowcount
    if not known:
        connection.execute(insert(studies).values(name=new.study, **row))
    save_content(connection, new.study, digest, content)


def _save_arms(connection: Connection, study: str, content: Mapping[str, Any]) -> dict[str, int]:
    """Make the arms known, the baseline first; their ids by name."""
    query = select(arms.c.name, arms.c.id).where(arms.c.study == study)
    before = {name for name, _ in connection.execute(query)}
    for position, name in enumerate(content["arms"]):
        interventions = [] if name == content["baseline"] else [name]
        values = {"position": position, "interventions": interventions, "changes": {}}
        if name in before:
            same = (arms.c.study == study) & (arms.c.name == name)
            connection.execute(update(arms).where(same).values(**values))
        else:
            connection.execute(insert(arms).values(study=study, name=name, **values))
    return dict(connection.execute(query).all())
