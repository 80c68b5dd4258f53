"""The fields of an imported run, and the column names that stand for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from sweep.study.file import STREAM_COLUMNS


class Field(StrEnum):
    """A field of an imported run. The value is its name in `--column FIELD=COLUMN`."""

    ARM = "arm"
    LOSS = "loss"
    SEED = "seed"
    INIT_SEED = "init_seed"
    ORDER_SEED = "order_seed"
    DROPOUT_SEED = "dropout_seed"
    STATUS = "status"
    STEP = "step"
    RUN = "run"
    """Tells runs apart in a file with a row for each step."""


STREAM_FIELDS = tuple(Field(name) for name in STREAM_COLUMNS)
"""Seeds of single random streams."""
SEED_FIELDS = (Field.SEED, *STREAM_FIELDS)
"""Runs of two arms pair if all of these agree."""

PREFIXES = ("", "config.", "params.", "summary.", "metrics.", "tags.")
"""Prefixes of column names: in MLflow's `search_runs`, in flattened JSON and in W&B's API."""
RUN_NAMES = ("Name", "name", "tags.mlflow.runName", "run_name")
"""Columns with the name of a run, which often ends in its seed."""
OTHER_NAMES: dict[Field, tuple[str, ...]] = {
    Field.ARM: ("Group", "group", *RUN_NAMES),
    Field.STATUS: ("State", "Status", "state"),
    Field.STEP: ("_step", "Step"),
    Field.RUN: ("Run ID", "run_id"),
}
"""Column names other than the field's own, the likelier ones first."""
TEST_LOSSES = tuple(
    f"{split}{mark}loss"
    for split in ("test", "eval", "val", "valid", "validation")
    for mark in "/_"
)
"""Names of a test loss in files that name no arm."""
RUN_TABLE_COLUMNS = ("State", "Status", "run_id")
"""A file with one of these has a row for each run: its `_step` is where the run ended."""


def recognise(present: Sequence[str]) -> Iterator[tuple[Field, str]]:
    """Yield the fields whose columns can be told by their names."""
    per_run = any(name in present for name in RUN_TABLE_COLUMNS)
    for field in Field:
        own_names = [f"{prefix}{field}" for prefix in PREFIXES]
        for name in (*own_names, *OTHER_NAMES.get(field, ())):
            end_of_run = field == Field.STEP and name != Field.STEP and per_run
            if name in present and not end_of_run:
                yield field, name
                break


def find_test_losses(present: Sequence[str]) -> list[str]:
    """Return the columns that look like a test loss, the likeliest first."""
    names = [f"{prefix}{name}" for name in TEST_LOSSES for prefix in PREFIXES]
    return [name for name in names if name in present]
