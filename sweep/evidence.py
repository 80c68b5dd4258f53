"""What the runs of a study have shown, in so few columns that a million of them fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, cast, select

from sweep.schema import arms, members, planned_runs, runs
from sweep.store import Store

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
        from analysis.cost import seconds_per_run  # noqa: PLC0415  (brings pandas)

        return seconds_per_run(self.frame)

    @cached_property
    def seconds_spent(self) -> dict[str, float]:
        """What the runs of each arm have taken together, whichever way they ended."""
        timed = self.frame.dropna(subset=["seconds"])
        totals = timed.groupby("arm", sort=False)["seconds"].sum()
        return {str(arm): float(total) for arm, total in totals.items()}


def read_evidence(store: Store, study: str) -> Evidence:
    """All that a report needs of a study's runs."""
    import pandas as pd  # noqa: PLC0415  (slow to import)

    origins: dict[str | None, int] = {}
    columns: list[list[Any]] = [[] for _ in range(6)]
    found: list[int] = []
    for rows in _rows(store, study):
        *some, texts = zip(*rows, strict=True)
        for column, values in zip(columns, some, strict=True):
            column.extend(values)
        found += [origins.setdefault(text, len(origins)) for text in texts]
    names = {row["id"]: row["name"] for row in store.arms(study)}
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


def _rows(store: Store, study: str) -> Iterator[list[tuple[Any, ...]]]:
    query = (
        select(
            members.c.arm_id,
            members.c.seed,
            runs.c.test_loss,
            runs.c.state,
            runs.c.finished - runs.c.started,
            runs.c.tokens,
            cast(runs.c.provenance, Text),
        )
        .select_from(planned_runs)
        .where(arms.c.study == study)
        .order_by(arms.c.position, members.c.seed)
    )
    with store.begin() as connection:
        for rows in connection.execute(query).partitions(BATCH):
            yield [tuple(row) for row in rows]
