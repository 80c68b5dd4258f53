"""The runs that an imported study has already, and their identities."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Text, cast, func, select

from sweep.importing.run_table import RunTable
from sweep.store.schema import arms, members, runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 20_000
"""Rows that are read at once: Python objects take more memory than arrays."""


@dataclass(frozen=True, kw_only=True)
class KnownRuns:
    """The runs of a study in the database, one value per run in each array."""

    ids: NDArray[np.bytes_]
    """32 bytes each."""
    losses: NDArray[np.float64]
    """NaN where there is none."""
    states: NDArray[np.object_]
    """RunState."""
    steps: NDArray[np.float64]
    """The step that each loss was logged at; NaN if it is unknown."""

    def places(self, wanted: NDArray[np.bytes_]) -> NDArray[np.intp]:
        """Return the place of each wanted id in `ids`, or -1.

        A pandas index of text would take twice the memory.
        """
        import numpy as np

        if not self.ids.size:
            return np.full(wanted.shape, -1)
        order = np.argsort(self.ids)
        nearest = np.searchsorted(self.ids, wanted, sorter=order).clip(max=self.ids.size - 1)
        found = order[nearest]
        return np.where(self.ids[found] == wanted, found, -1)


def read_known_runs(connection: Connection, study: str, arm_names: Iterable[str]) -> KnownRuns:
    """Read id, loss and state of every run of these arms."""
    import numpy as np

    ids, losses, states = [np.array([], "S32")], [np.array([], float)], [np.array([], object)]
    steps = [np.array([], float)]
    query = select(runs.c.id, runs.c.test_loss, runs.c.state, cast(runs.c.provenance, Text))
    for name in arm_names:
        rows = connection.execute(query.where(runs.c.family == family_of(study, name)))
        for batch in rows.partitions(BATCH):
            ids.append(np.array([row.id for row in batch], "S32"))
            losses.append(np.array([row.test_loss for row in batch], float))  # None becomes NaN
            states.append(np.array([row.state for row in batch], object))
            steps.append(np.array([_last_step(row.provenance) for row in batch], float))
    return KnownRuns(
        ids=np.concatenate(ids),
        losses=np.concatenate(losses),
        states=np.concatenate(states),
        steps=np.concatenate(steps),
    )


def _last_step(provenance: str | None) -> float:
    """Return the step that `inserting` noted."""
    return float((json.loads(provenance) or {}).get("last_step", "nan")) if provenance else math.nan


def count_runs(connection: Connection, study: str) -> dict[str, int]:
    """Return the number of runs of each arm, in the order of the arms."""
    query = (
        select(arms.c.name, func.count(members.c.seed))
        .join(members, members.c.arm_id == arms.c.id)
        .where(arms.c.study == study)
        .group_by(arms.c.name, arms.c.position)
        .order_by(arms.c.position)
    )
    return {str(name): int(count) for name, count in connection.execute(query)}


def largest_seed(connection: Connection, study: str) -> int:
    """Return the largest seed of any arm; 0 for a study without runs."""
    query = (
        select(func.max(members.c.seed))
        .join(arms, arms.c.id == members.c.arm_id)
        .where(arms.c.study == study)
    )
    return connection.execute(query).scalar() or 0


def family_of(study: str, arm: str) -> str:
    """Return the family of an arm's runs. It stands in for a hash of their recipe."""
    return hashlib.sha256(f"imported\0{study}\0{arm}".encode()).hexdigest()


def run_ids(study: str, table: RunTable) -> NDArray[np.bytes_]:
    """Return the id of every run, made of study, arm and label; without a label, its place."""
    import numpy as np

    unnamed = table.arm[table.label.isna()]
    places = unnamed.groupby(unnamed).cumcount() + 1
    labels = table.label.fillna("#" + places.astype("str"))
    ids = [
        hashlib.sha256(f"{study}\0{arm}\0{label}".encode()).hexdigest()[:32]
        for arm, label in zip(table.arm.tolist(), labels.tolist(), strict=True)
    ]
    return np.array(ids, "S32")
