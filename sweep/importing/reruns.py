"""Exact reruns in a file: later rows of the same arm and seeds, which check the determinism."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from sweep.errors import ResultsError
from sweep.importing.known_runs import family_of, run_ids
from sweep.importing.run_table import RunTable
from sweep.store.schema import runs
from sweep.store.states import RunState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AGAIN = "again"
"""Ends the id of a rerun."""


def split_reruns(
    table: RunTable, repeats: NDArray[np.bool_], source: str
) -> tuple[RunTable, RunTable]:
    """Return the runs, and the rows that repeat one of them.

    Raises ResultsError for a file with steps, where rows of one run cannot be told from reruns.
    """
    if table.step.notna().any():
        raise ResultsError(
            f"--reruns: {source} has steps, and rows of a run cannot be told from reruns; leave the "
            "option out, or import a file with one row per run"
        )
    return table.take((~repeats).nonzero()[0]), table.take(repeats.nonzero()[0])


def save_reruns(connection: Connection, study: str, table: RunTable) -> int:
    """Store the reruns that ended with a loss; returns how many are new."""
    done = table.take((table.state == RunState.DONE).to_numpy().nonzero()[0])
    if not len(done):
        return 0
    numbers = done.label.groupby([done.arm, done.label]).cumcount()
    rows = [
        _row(study, done, place, f"{run_id.decode()}-{AGAIN}{number or ''}")
        for place, (run_id, number) in enumerate(zip(run_ids(study, done), numbers, strict=True))
    ]
    known = set(
        connection.scalars(select(runs.c.id).where(runs.c.id.in_([row["id"] for row in rows])))
    )
    fresh = [row for row in rows if row["id"] not in known]
    if fresh:
        connection.execute(insert(runs), fresh)
    return len(fresh)


def _row(study: str, table: RunTable, place: int, rerun_id: str) -> dict[str, Any]:
    return {
        "id": rerun_id,
        "repeat_of": rerun_id.partition(f"-{AGAIN}")[0],
        "recipe": {},
        "corpus_hash": "",
        "family": family_of(
            study, f"{table.arm[place]}\0{AGAIN}"
        ),  # not found among the arm's runs
        "init_seed": int(table.init_seed[place]),
        "order_seed": int(table.order_seed[place]),
        "dropout_seed": int(table.dropout_seed[place]),
        "state": RunState.DONE,
        "test_loss": float(table.loss[place]),
    }
