"""Which column of a file is what: as asked for, by its own name, or as W&B and MLflow name it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError, did_you_mean
from sweep.study.file import STREAM_COLUMNS
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

FIELDS = ("arm", "loss", "seed", *STREAM_COLUMNS, "status", "step", "run")
"""What a column can be. `run` tells apart the runs of a file with a row for each step."""

_PREFIXES = ("", "config.", "params.", "summary.", "metrics.", "tags.")
"""Of MLflow's `search_runs`, and of JSON and W&B's API once they are flattened."""
_METRICS = tuple(
    f"{text}{mark}loss" for text in ("test", "eval", "val", "valid", "validation") for mark in "/_"
)
_RUN_NAMES = ("Name", "name", "tags.mlflow.runName", "run_name")
_ELSEWHERE: dict[str, tuple[str, ...]] = {
    "arm": ("Group", "group", *_RUN_NAMES),
    "status": ("State", "Status", "state"),
    "step": ("_step", "Step"),
    "run": ("Run ID", "run_id"),
}
"""Other names, the likelier ones first."""
_SEEDED_NAME = r"^(?P<arm>.*\S)[-_ ./,]+seed[-_ =]?(?P<seed>\d+)$"
"""A run's name that ends in its seed: `clip-seed3`, `clip_seed_3`, `clip, seed=3`."""
_RUN_TABLES = ("State", "Status", "run_id")
"""A file with one of these has a row for each run: the `_step` in it is where the run ended."""
_SHOWN = 30
"""Column names that a sentence lists."""


@dataclass(frozen=True)
class Chosen:
    """The rows of a file under the names of `FIELDS`, and what is left of them."""

    rows: pd.DataFrame
    """Columns that are in `FIELDS`, as far as the file has them."""
    further: pd.DataFrame
    """All other columns, under their own names."""
    names: Mapping[str, str]
    """By field: the column that it was taken from."""


def choose_columns(frame: pd.DataFrame, asked: Mapping[str, str], source: str) -> Chosen:
    """Find arm, loss and whatever else there is among the columns of a file.

    `asked` maps fields to columns, as `--column` does. Raises ResultsError for one that is not
    there, and for a file without an arm or a loss.
    """
    frame = _expanded(frame)
    if not asked:
        frame = _melted(frame)
    present = [str(name) for name in frame.columns]
    names = {**dict(_found(present)), **_checked(asked, present, source)}
    if "loss" not in asked:
        names.update(_test_loss(present, source))
    for field in ("arm", "loss"):
        if field not in names:
            raise ResultsError(_missing(field, present, source))
    rows = frame[list(names.values())].set_axis(list(names), axis=1)
    further = frame[[name for name in present if name not in set(names.values())]]
    if names["arm"] in _RUN_NAMES and not {"seed", *STREAM_COLUMNS} & names.keys():
        rows = _split_names(rows)
    return Chosen(rows, further, names)


def parse_columns(words: list[str]) -> dict[str, str]:
    """`["loss=test/loss"]` as a mapping of fields to columns. Raises ResultsError."""
    found: dict[str, str] = {}
    for word in words:
        field, equals, column = word.partition("=")
        if not equals or field not in FIELDS:
            raise ResultsError(
                f"--column {shown(word)}: write FIELD=COLUMN with one of {', '.join(FIELDS)}"
                f"{did_you_mean(field, FIELDS)}"
            )
        if found.setdefault(field, column) != column:
            raise ResultsError(f"--column names {field} twice; name it once")
    return found


def _checked(asked: Mapping[str, str], present: list[str], source: str) -> Mapping[str, str]:
    for field, column in asked.items():
        if column not in present:
            raise ResultsError(
                f"{source} has no column {shown(column)} for {field}"
                f"{did_you_mean(column, present)} (it has: {_listed(present)})"
            )
    return asked


def _found(present: list[str]) -> Iterator[tuple[str, str]]:
    """Fields with the columns that look like them."""
    per_run = any(name in present for name in _RUN_TABLES)
    for field in FIELDS:
        own = [f"{prefix}{field}" for prefix in _PREFIXES]
        for name in (*own, *_ELSEWHERE.get(field, ())):
            if name in present and not (field == "step" and name != "step" and per_run):
                yield field, name
                break


def _test_loss(present: list[str], source: str) -> dict[str, str]:
    """The test loss of a file that is not in our own words: its `loss` may be of training."""
    if "arm" in present:
        return {}
    found = [f"{prefix}{name}" for name in _METRICS for prefix in _PREFIXES]
    found = [name for name in found if name in present]
    if len(found) > 1:
        raise ResultsError(
            f"{source} has the losses {_listed(found)}; say which one counts with "
            f"--column loss={found[0]}"
        )
    return {"loss": found[0]} if found else {}


def _missing(field: str, present: list[str], source: str) -> str:
    near = did_you_mean(field, present)
    example = f"; say which one it is with --column {field}=COLUMN"
    return f"{source} has no column {field!r}{near or example} (it has: {_listed(present)})"


def _listed(present: list[str]) -> str:
    names = [shown(name) for name in present[:_SHOWN]]
    return ", ".join(names) + (", …" if len(present) > _SHOWN else "")


def _split_names(rows: pd.DataFrame) -> pd.DataFrame:
    """The seed out of run names that end in it, where all of them do so or none is left alone."""
    parts = rows["arm"].astype(str).str.extract(re.compile(_SEEDED_NAME, re.IGNORECASE))
    if parts["seed"].isna().all():
        return rows
    return rows.assign(arm=parts["arm"].fillna(rows["arm"]), seed=parts["seed"])


def _melted(frame: pd.DataFrame) -> pd.DataFrame:
    """A panel of W&B: a column `RUN - METRIC` for each run becomes rows, one for each step."""
    names = [str(name) for name in frame.columns]
    curves = [
        name for name in names if " - " in name and not name.endswith(("__MIN", "__MAX", "_step"))
    ]
    metrics = {name.rpartition(" - ")[2] for name in curves}
    if names[0] not in {"Step", "_step"} or len(metrics) != 1:
        return frame
    long = frame.melt(
        id_vars=names[0], value_vars=curves, var_name="Name", value_name=next(iter(metrics))
    )
    long["Name"] = long["Name"].str.rpartition(" - ")[0]
    return long.rename(columns={names[0]: "step", next(iter(metrics)): "loss"})


def _expanded(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells of `config` and `summary` that are dictionaries, as W&B's API gives them, as columns."""
    import pandas as pd

    for name in ("config", "summary"):
        if name not in frame or not frame[name].astype(str).str.startswith("{").all():
            continue
        cells = [_dictionary(cell) for cell in frame[name]]
        if all(isinstance(cell, dict) for cell in cells):
            inner = pd.DataFrame(cells, index=frame.index).add_prefix(f"{name}.")
            frame = frame.drop(columns=name).join(inner.astype(object).where(inner.notna(), None))
    return frame


def _dictionary(text: str) -> Any:  # noqa: ANN401  (whatever was written there)
    """A dictionary written by Python or as JSON; None where it is neither."""
    finite = re.sub(r"(?<=[:\s,\[])-?(nan|inf)\b", "'\\1'", text)
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text if read is json.loads else finite)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None
