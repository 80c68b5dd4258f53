"""The runs of a study as a table with few columns, so that a million runs fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Text, case, cast, select

from sweep.store.metrics import metric_value
from sweep.store.schema import arms, members, planned_runs, runs
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.verdicts.provenance import Provenance, parse_provenance

if TYPE_CHECKING:
    import pandas as pd

BATCH_SIZE = 20_000
"""Rows fetched at a time: the driver's rows take more memory than the columns made of them."""
SAME_PROVENANCE = ""
"""Stands for the most common provenance in the rows that are fetched."""
JUDGED_COLUMNS = ["arm", "seed", "loss", "status"]
STREAM_SEEDS = (runs.c.init_seed, runs.c.order_seed, runs.c.dropout_seed)
"""Columns of the store with the seeds of single streams."""


@dataclass(frozen=True)
class Evidence:
    """The runs of a study, arm by arm in the study's order."""

    frame: pd.DataFrame
    """A row per arm and seed with the columns `arm`, `seed`, `loss` (the metric that is judged; NaN
    if there is none), `status` (`failed` for a run that is done without this metric), `seconds`
    (NaN for a run that has not ended or was not timed), `tokens` (NaN if unknown) and `provenance`
    (index into `provenances`). If runs can share the seeds of single streams, also
    `STREAM_SEEDS`."""
    provenances: Sequence[Provenance]
    """The different provenances of the runs."""
    lacking: int = 0
    """Runs that are done without the metric."""
    stopped: frozenset[str] = frozenset()
    """Arms that were stopped early."""

    @property
    def lacks_metric(self) -> bool:
        """True if runs have ended and none has the metric."""
        return self.lacking > 0 and bool(self.frame.loss.isna().all())

    @property
    def judged_runs(self) -> pd.DataFrame:
        """The columns that `analysis.verdict.judge` reads: `JUDGED_COLUMNS`, and `STREAM_SEEDS`.

        Arms that were stopped early have no results here: which runs they have depends on how bad
        they are, so a test of these would not hold.
        """
        streams = [column.name for column in STREAM_SEEDS if column.name in self.frame]
        found = self.frame[[*JUDGED_COLUMNS, *streams]]
        if not self.stopped:
            return found
        hidden = found.arm.isin(self.stopped)
        return found.assign(
            loss=found.loss.mask(hidden), status=found.status.mask(hidden, RunState.CANCELLED)
        )

    @cached_property
    def seconds_per_run(self) -> dict[str, float]:
        """Median seconds of a run by arm: see `analysis.cost.seconds_per_run`."""
        from analysis.cost import seconds_per_run

        return seconds_per_run(self.frame)

    @cached_property
    def seconds_spent(self) -> dict[str, float]:
        """Seconds that all runs of an arm took together, failed ones included, by arm."""
        timed = self.frame.dropna(subset=["seconds"])
        totals = timed.groupby("arm", sort=False).seconds.sum()
        return {str(arm): float(total) for arm, total in totals.items()}


def read_evidence(store: Store, study: str, metric: str | None = None) -> Evidence:
    """Read the runs of a study from the store, with one of its metrics; by default the primary one."""
    import pandas as pd

    plan = store.plan(store.study(study))
    value = metric_value(plan, metric or plan.primary.name)
    common = _common_provenance(store, study)
    streams = STREAM_SEEDS if _streams_may_repeat(store, study) else ()
    numbers: dict[str | None, int] = {common: 0}
    columns: list[list[Any]] = [[] for _ in range(6 + len(streams))]
    provenances: list[int] = []
    for rows in _rows(store, study, common, (value, *streams)):
        *values, texts = zip(*rows, strict=True)
        for column, some in zip(columns, values, strict=True):
            column.extend(some)
        provenances += [
            0 if text == SAME_PROVENANCE else numbers.setdefault(text, len(numbers))
            for text in texts
        ]
    names = {arm.id: arm.name for arm in store.arms(study)}
    arm, seed, status, seconds, tokens, loss, *stream_seeds = columns
    by_stream = {column.name: found for column, found in zip(streams, stream_seeds, strict=True)}
    frame = pd.DataFrame(
        {
            "arm": [names[each] for each in arm],
            "seed": seed,
            **by_stream,
            "loss": pd.Series(loss, dtype="float64"),
            "status": status,
            "seconds": pd.Series(seconds, dtype="float64"),
            "tokens": pd.Series(tokens, dtype="float64"),
            "provenance": provenances,
        }
    )
    lacking = _mark_failed(frame)
    provenance = [parse_provenance(text) for text in numbers]
    return Evidence(frame, provenance, lacking, frozenset(plan.stopped))


def _mark_failed(frame: pd.DataFrame) -> int:
    """Let runs without the metric count as failed; returns how many are done."""
    lacking = frame.loss.isna() & (frame.status == RunState.DONE)
    if lacking.any():
        frame.loc[lacking, "status"] = RunState.FAILED
    return int(lacking.sum())


def _streams_may_repeat(store: Store, study: str) -> bool:
    """True for an import whose runs are told apart by several seeds.

    Of a study trained here, a seed sets each stream that varies: no two runs share one.
    """
    found = store.study(study)
    return bool(found.imported) and len(store.plan(found).seed_columns) > 1


def _common_provenance(store: Store, study: str) -> str | None:
    """The provenance of some run with a result; most other runs usually have the same."""
    query = (
        select(cast(runs.c.provenance, Text))
        .select_from(planned_runs)
        .where(arms.c.study == study, runs.c.provenance.is_not(None))
    )
    with store.begin() as connection:
        return connection.execute(query.limit(1)).scalar()


def _rows(
    store: Store, study: str, common: str | None, further: Sequence[ColumnElement[Any]]
) -> Iterator[Sequence[Sequence[Any]]]:
    """Batches of rows. `SAME_PROVENANCE` replaces the common text: 100,000 copies are slow."""
    provenance = cast(runs.c.provenance, Text)
    query = (
        select(
            members.c.arm_id,
            members.c.seed,
            runs.c.state,
            runs.c.finished - runs.c.started,
            runs.c.tokens,
            *further,
            case((provenance == common, SAME_PROVENANCE), else_=provenance),
        )
        .select_from(planned_runs)
        .where(arms.c.study == study)
        .order_by(arms.c.position, members.c.seed)
    )
    with store.begin() as connection:
        yield from connection.execute(query).partitions(BATCH_SIZE)
