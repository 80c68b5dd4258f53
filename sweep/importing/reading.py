"""Reading of files of results into one table of unparsed cells, whatever tool wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.errors import ResultsError
from sweep.importing.fields import (
    SEED_FIELDS,
    Field,
    find_test_losses,
    is_test_metric,
    recognise,
)
from sweep.importing.files.events import EVENTS, read_events
from sweep.importing.files.finding import find_files
from sweep.importing.files.forms import read_table
from sweep.importing.files.logs import read_log, without_other_files
from sweep.importing.files.table import Table, check_size
from sweep.importing.tools.export import FILE, Asked, Export
from sweep.importing.tools.registry import recognise_export
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LONGEST_CELL = 100_000
"""Longest cell, characters."""
_APART = frozenset({Field.STEP, Field.RUN, *SEED_FIELDS})
"""Fields that tell the rows of a file apart."""
_STEP_NAME = re.compile(
    r"(global|current|train|training|optimizer)?[ _/]?(steps?|iter|iters|iteration|iterations)",
    re.IGNORECASE,
)


def read_results(
    named: Sequence[Path],
    pattern: re.Pattern[str] | None = None,
    columns: Mapping[Field, str] | None = None,
) -> Export:
    """Read files, folders and patterns into one table, and tell what its columns mean.

    `pattern` reads logs, a row per line that matches. `columns` are the ones that the command names.
    Cells are text, or numbers where a Parquet file has numbers; an empty one is None. Raises
    ResultsError for a file that cannot be read or has no rows, and to ask what is not clear.
    """
    files = find_files(named, logs=pattern is not None)
    read = {file.path: _read(file.path, pattern) for file in files}
    if pattern is not None:
        read = without_other_files(read, pattern)
    tables = list(read.values())
    asked = Asked(columns=columns or {}, source=source_of(named))
    frame = _join([file.run for file in files if file.path in read], tables, asked.source)
    export = _with_runs(recognise_export(frame, asked), asked, tables)
    export = _with_loss(export, asked)
    remarks = dict.fromkeys(remark for table in tables for remark in table.remarks)
    return replace(export, remarks=[*remarks, *export.remarks, *_training_loss(export, asked)])


def _training_loss(export: Export, asked: Asked) -> list[str]:
    """Say that the loss is that of the training text, if its name says so and none asked for it."""
    loss = export.columns.get(Field.LOSS)
    if loss is None or Field.LOSS in asked.columns or not re.search("train", loss, re.IGNORECASE):
        return []
    return [f"{shown(loss)} is a loss on the training text, by its name."]


def source_of(named: Sequence[Path]) -> str:
    """Return the name of the files in messages: `a.csv`, `a.csv and 3 others`."""
    more = len(named) - 1
    return f"{named[0]} and {more} other{'s' if more > 1 else ''}" if more else str(named[0])


def _read(path: Path, pattern: re.Pattern[str] | None) -> Table:
    """Read one file. Raises ResultsError if it has no rows, two columns of a name, or a huge cell."""
    if pattern is not None:
        table = read_log(path, pattern)
    else:
        table = read_events(path) if EVENTS in path.name else read_table(path)
    cells = _without_empty_columns(table.cells)
    if cells.num_rows == 0:
        raise ResultsError(f"{path} has no rows; a file of results has one for each run")
    _check_names(path, cells.column_names)
    _check_cells(path, cells)
    return replace(table, cells=cells)


def _without_empty_columns(cells: pa.Table) -> pa.Table:
    """Strip the names of columns; leave out those without a name and a cell: `arm,loss,`."""
    cells = cells.rename_columns([name.strip() for name in cells.column_names])
    columns = zip(cells.column_names, cells.columns, strict=True)
    return cells.select(
        [n for n, (name, column) in enumerate(columns) if name or column.null_count < len(column)]
    )


def _join(runs: Sequence[str], tables: Sequence[Table], source: str) -> pd.DataFrame:
    """Return all rows, with a column for the name of the file that they are from."""
    import pyarrow as pa

    parts = []
    for run, table in zip(runs, tables, strict=True):
        cells = table.cells
        if len(tables) > 1 and any(t.cells.schema != cells.schema for t in tables):
            cells = pa.table({name: _as_text(cells[name]) for name in cells.column_names})
        names = [f"{name}.1" if name == FILE else name for name in cells.column_names]
        cells = cells.rename_columns(names)
        parts.append(cells.append_column(FILE, pa.array([run] * len(cells), pa.string())))
    joined = pa.concat_tables(parts, promote_options="default")
    check_size(Path(source), joined.num_rows, joined.num_columns)
    frame: pd.DataFrame = joined.to_pandas()
    return frame


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as text, for files that give it different types."""
    import pyarrow as pa

    if pa.types.is_nested(column.type):
        return pa.chunked_array([pa.array(map(str, column.to_pylist()), pa.string())])
    return column.cast(pa.string())


def _with_runs(export: Export, asked: Asked, tables: Sequence[Table]) -> Export:
    """Take the name of the file for the arm if nothing else names it and each file is a run.

    Raises ResultsError to ask for settings that make an arm.
    """
    chosen = _chosen(export, asked)
    if Field.ARM not in chosen and export.settings:
        raise ResultsError(
            f"{asked.source} is {export.tool} and has no column of arms; name the settings that "
            f"make one: --column arm={','.join(export.settings)}"
        )
    if FILE not in export.frame:
        return export
    one_run = all(table.one_run for table in tables) or export.columns.get(Field.RUN) == FILE
    if not one_run and len(tables) == 1:
        return replace(export, frame=export.frame.drop(columns=FILE))
    are_named = chosen.keys() & (_APART - {Field.STEP} | {Field.ARM})
    if Field.ARM not in chosen:
        export = _named_by_file(export, chosen, asked)
    step = _chosen(export, asked).get(Field.STEP)
    if step is not None and step in export.frame and (one_run or not are_named):
        return replace(export, frame=_one_row_per_step(export.frame, step))
    return export


def _named_by_file(export: Export, chosen: Mapping[Field, str], asked: Asked) -> Export:
    """Take the name of the file for the arm. Raises ResultsError if its rows cannot be told apart."""
    columns = {**export.columns, Field.ARM: FILE}
    step = _guess_step([str(name) for name in export.frame.columns])
    if step is not None and not chosen.keys() & _APART:
        columns[Field.STEP] = step
    _check_rows(export.frame, {**chosen, **columns}, asked)
    return replace(export, columns=columns)


def _with_loss(export: Export, asked: Asked) -> Export:
    """Take the only metric on a test text for the loss, such as `val_bpb`, if no loss is there."""
    names = [str(name) for name in export.frame.columns]
    if Field.LOSS in _chosen(export, asked) or find_test_losses(names):
        return export
    metrics = [name for name in names if is_test_metric(name)]
    if len(metrics) != 1:
        return export
    return replace(export, columns={**export.columns, Field.LOSS: metrics[0]})


def _chosen(export: Export, asked: Asked) -> dict[Field, str]:
    """The column of each field: the one asked for, the tool's, or one that is recognised."""
    names = [str(name) for name in export.frame.columns if name != FILE]
    return {**dict(recognise(names)), **export.columns, **asked.columns}


def _guess_step(names: Sequence[str]) -> str | None:
    """Return the column of the step in a file of one run, by the names that programs give it."""
    return next((name for name in names if _STEP_NAME.fullmatch(name)), None)


def _check_rows(frame: pd.DataFrame, chosen: Mapping[Field, str], asked: Asked) -> None:
    """Raise ResultsError if files have several rows each, and nothing tells steps from runs."""
    if chosen.keys() & _APART or not frame[FILE].duplicated().any():
        return
    raise ResultsError(
        f"{asked.source}: a file has several rows, and nothing says whether they are steps or runs; "
        "name the column of the step or of the seed: --column step=COLUMN or --column seed=COLUMN"
    )


def _one_row_per_step(frame: pd.DataFrame, step: str) -> pd.DataFrame:
    """Join the rows of a run at one step; of two values, the later one counts.

    A log has a row for the training loss and one for the test loss, and a run that was continued
    from a checkpoint logs steps again.
    """
    if frame[step].isna().any():
        return frame
    return frame.groupby([FILE, step], sort=False, as_index=False).last()


def _check_names(path: Path, names: list[str]) -> None:
    """Raise ResultsError if two columns have one name, such as two runs of a W&B panel."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            hint = "give the runs different names" if " - " in name else "rename one of them"
            raise ResultsError(f"{path} has two columns {shown(name)}; {hint}")
        seen.add(name)


def _check_cells(path: Path, table: pa.Table) -> None:
    """Raise ResultsError for a huge cell: most likely a closing quotation mark is missing."""
    import pyarrow as pa
    from pyarrow import compute

    for name, column in zip(table.column_names, table.columns, strict=True):
        if not pa.types.is_string(column.type):
            continue
        longest = compute.max(compute.utf8_length(column)).as_py() or 0
        if longest > LONGEST_CELL:
            raise ResultsError(
                f"{path}: a cell of column {shown(name)} has {longest} characters, and "
                f"at most {LONGEST_CELL} are read; leave that column out"
            )
