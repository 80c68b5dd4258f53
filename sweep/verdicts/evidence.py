"""What the runs of a study have shown, in so few columns that a million of them fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, case, cast, select

from sweep.store.schema import arms, members, planned_runs, runs
from sweep.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

BATCH = 20_000
"""Rows that are held at once as the driver gives them; as columns they are smaller."""


@dataclass(frozen=True)
class Evidence:
    """A study's runs, arm by arm in its own order, and what was recorded of where they ran."""

    frame: pd.DataFrame
    """A row per arm and seed: `arm`, `seed`, `loss` (NaN where there is none), `status`, `seconds`
    (NaN for a run that has not ended, or whose time nobody knows), `tokens`, and `origin`, which
    tells runs apart that were not made alike."""
    origins: list[str | None]
    """Provenances as JSON; `origin` counts them."""

    @cached_property
    def seconds_per_run(self) -> dict[str, float]:
        """By arm: see `analysis.cost.seconds_per_run`."""
        from analysis.cost import seconds_per_run

        return seconds_per_run(self.frame)

    @cached_property
    def seconds_spent(self) -> dict[str, float]:
        """What the runs of each arm have taken together, whichever way they ended."""
        timed = self.frame.dropna(subset=["seconds"])
        totals = timed.groupby("arm", sort=False)["seconds"].sum()
        return {str(arm): float(total) for arm, total in totals.items()}


def read_evidence(store: Store, study: str) -> Evidence:
    """All that a report needs of a study's runs."""
    import pandas as pd

    usual = _some_provenance(store, study)
    origins: dict[str | None, int] = {usual: 0}
    columns: list[list[Any]] = [[] for _ in range(6)]
    found: list[int] = []
    for rows in _rows(store, study, usual):
        *some, texts = zip(*rows, strict=True)
        for column, values in zip(columns, some, strict=True):
            column.extend(values)
        found += [origins.setdefault(text, len(origins)) if text != "" else 0 for text in texts]
    names = {arm.id: arm.name for arm in store.arms(study)}
    arm, seed, loss, status, seconds, tokens = columns
    frame = pd.DataFrame(
        {
            "arm": [names[each] for each in arm],
            "seed": seed,
            "loss": pd.Series(loss, dtype="float64"),
            "status": status,
            "seconds": pd.Series(seconds, dtype="float64"),
            "tokens": pd.Series(tokens, dtype="float64"),
            "origin": found,
        }
    )
    return Evidence(frame, list(origins))


def _some_provenance(store: Store, study: str) -> str | None:
    """That of a run with a result: as a rule most others have the same."""
    query = (
        select(cast(runs.c.provenance, Text))
        .select_from(planned_runs)
        .where(arms.c.study == study, runs.c.provenance.is_not(None))
    )
    with store.begin() as connection:
        return connection.execute(query.limit(1)).scalar()


def _rows(store: Store, study: str, usual: str | None) -> Iterator[Sequence[Sequence[Any]]]:
    """The usual provenance comes as an empty text: a hundred thousand copies take their time."""
    provenance = cast(runs.c.provenance, Text)
    query = (
        select(
            members.c.arm_id,
            members.c.seed,
            runs.c.test_loss,
            runs.c.state,
            runs.c.finished - runs.c.started,
            runs.c.tokens,
            case((provenance == usual, ""), else_=provenance),
        )
        .select_from(planned_runs)
        .where(arms.c.study == study)
        .order_by(arms.c.position, members.c.seed)
    )
    with store.begin() as connection:
        yield from connection.execute(query).partitions(BATCH)
