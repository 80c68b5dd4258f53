"""The forms in which a JSON document holds records: a list, or a wrapper around one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.errors import ResultsError
from sweep.terminal.printable import shown

JSON = Any
"""What `json.loads` returns."""
_SCALAR = ("Wall time", "Step", "Value")
"""The columns of a scalar that is downloaded from TensorBoard."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """The records of a document, which are objects unless the file is wrong."""

    values: Iterable[JSON]
    one_run: bool = False
    """True for a document that holds one run."""


def find_records(document: JSON, path: Path) -> Records:
    """Return the records of a document. Raises ResultsError if it is neither list nor object."""
    for form in FORMS:
        found = form(document)
        if found is not None:
            return found
    raise ResultsError(
        f"{path} is {shown(document)}; a file of results has an object for each run, with arm and "
        "loss"
    )


def _list(document: JSON) -> Records | None:
    """A list of objects; of MLflow's runs; or of wall time, step and value, from TensorBoard."""
    if not isinstance(document, list):
        return None
    if document and all(isinstance(row, list) and len(row) == len(_SCALAR) for row in document):
        return Records(values=(dict(zip(_SCALAR, row, strict=True)) for row in document))
    return _mlflow({"runs": document}) or Records(values=document)


def _huggingface(document: JSON) -> Records | None:
    """The `trainer_state.json` of Hugging Face's Trainer: the log of one run."""
    log = document.get("log_history")
    return Records(values=log, one_run=True) if isinstance(log, list) else None


def _mlflow(document: JSON) -> Records | None:
    """The answer of MLflow's REST interface to `runs/search` or `runs/get`."""
    runs = document.get("runs", [document.get("run")])
    if (
        not runs
        or not _are_objects(runs)
        or not all({"info", "data"} <= run.keys() for run in runs)
    ):
        return None
    return Records(values=[_mlflow_run(run) for run in runs])


def _mlflow_run(run: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """Return a run with the columns of `mlflow.search_runs`."""
    flat = dict(run["info"])
    for kind in ("metrics", "params", "tags"):
        found = run["data"].get(kind, {})
        if isinstance(found, list):  # the last value of each metric
            found = {each.get("key"): each.get("value") for each in found}
        flat |= {f"{kind}.{key}": value for key, value in found.items()}
    flat.setdefault("tags.mlflow.runName", flat.get("run_name"))
    return flat


def _split(document: JSON) -> Records | None:
    """`{"columns": [...], "data": [[...], ...]}`, as pandas and tables of W&B have it."""
    columns, rows = document.get("columns"), document.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return None
    if any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
        return None
    return Records(values=(dict(zip(map(str, columns), row, strict=True)) for row in rows))


def _wrapped(document: JSON) -> Records | None:
    """A list of objects in an object: `{"data": [{...}]}`, `{"results": [...], "date": ...}`."""
    lists = [value for value in document.values() if value and _are_objects(value)]
    return Records(values=lists[0]) if len(lists) == 1 else None


def _columns(document: JSON) -> Records | None:
    """A list of cells for each column, or cells by row, as `DataFrame.to_json` writes them."""
    columns = list(document.values())
    if not columns:
        return None
    if all(isinstance(column, dict) for column in columns):
        rows = list(columns[0])
        if len(columns) < 2 or not rows or any(list(column) != rows for column in columns):
            return None
        if rows != [str(n) for n in range(len(rows))]:
            return None
        columns = [list(column.values()) for column in columns]
    if not all(isinstance(column, list) for column in columns):
        return None
    if len({len(column) for column in columns}) != 1:
        return None
    return Records(
        values=(dict(zip(document, row, strict=True)) for row in zip(*columns, strict=True))
    )


def _by_name(document: JSON) -> Records | None:
    """Runs by name: `{"clip-seed1": {"loss": 2.5}, ...}`."""
    runs: Sequence[JSON] = list(document.values())
    if len(runs) < 2 or not _are_objects(runs):
        return None
    shared = set.intersection(*(set(run) for run in runs))
    if not shared:
        return None
    return Records(values=({"name": name, **run} for name, run in document.items()))


def _one(document: JSON) -> Records | None:
    """The numbers of one run: `all_results.json`, `wandb-summary.json`."""
    return Records(values=[document], one_run=True)


def _are_objects(values: JSON) -> bool:
    return isinstance(values, list) and all(isinstance(value, dict) for value in values)


def _of_objects(form: Callable[[JSON], Records | None]) -> Callable[[JSON], Records | None]:
    return lambda document: form(document) if isinstance(document, dict) else None


FORMS: tuple[Callable[[JSON], Records | None], ...] = (
    _list,
    *map(_of_objects, (_huggingface, _mlflow, _split, _wrapped, _columns, _by_name, _one)),
)
"""The first form that a document has is taken."""
