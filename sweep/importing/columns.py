"""Choice of columns: the column of a file that holds each field, as asked for or by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError, did_you_mean
from sweep.importing.fields import (
    RUN_LABELS,
    SEED_FIELDS,
    Field,
    bare_name,
    direction_of,
    find_test_losses,
    is_test_metric,
    recognise,
)
from sweep.importing.questions import COLUMNS_LISTED, Questions, no_column
from sweep.importing.rules import Reading
from sweep.importing.run_names import arms_without_seeds, split_run_names
from sweep.importing.selection import (
    ask_for_metric,
    ask_for_splits,
    find_long,
    quoted,
    select_rows,
)
from sweep.metrics.metric import Direction
from sweep.study.names import BASELINE
from sweep.terminal.printable import shown, shown_first

if TYPE_CHECKING:
    import pandas as pd

_OFFERED = 4
"""Options that a message offers."""
LIKELY_ARMS = frozenset(
    {"run", "experiment", "exp", "exp_name", "model", "variant", "method", "version", "config"}
    | {"description", "run_id", "file", "condition", "setting", "intervention", "optimizer"}
)
"""Columns that a message offers for the arm, in lower case and without prefix."""
PARENT = "parentrunid"
"""Ends the name of a column with the ids of parents: `tags.mlflow.parentRunId`."""
JOINED = frozenset({Field.ARM, Field.SEED, Field.RUN})
"""Fields that several columns can make together: `--column arm=lr,wd`."""
NO_COLUMN = "-"
"""In `--column status=-`: no column holds this field."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The columns of a file, by what they hold."""

    cells: Mapping[Field, pd.Series[Any]]
    """By field that the file has: its cells as written, of the rows that `--where` selects.

    All share one index: the rows of the file, counted from 0."""
    further: pd.DataFrame
    """All other columns, under their own names, with all rows of the file."""
    names: Mapping[Field, str]
    """By field: the column that it was taken from; for an arm of several columns, `lr,wd`."""
    metric: str
    """The metric that is compared: the column of the losses, or its name in a row."""

    def parents(self) -> pd.Series[Any] | None:
        """Return the ids of the runs' parents, as MLflow has them for nested runs."""
        for name in self.further.columns:
            if re.sub("[^a-z]", "", str(name).lower()).endswith(PARENT):
                return self.further[name].loc[self.cells[Field.ARM].index]
        return None

    def further_with_seeds(self) -> pd.DataFrame:
        """Return the other columns and the seeds as written, for seeds that are not numbers."""
        name = self.names.get(Field.SEED, Field.SEED.value)
        return self.further.assign(**{name: self.cells[Field.SEED]})


def choose_columns(frame: pd.DataFrame, asked: Mapping[Field, str], reading: Reading) -> Chosen:
    """Find arm, loss and the other fields among the columns of a file.

    `asked` maps fields to columns, as `--column` does. A file with a column for each arm or seed gets
    a row for each run. Raises ResultsError, with a line for each question, for a column that the file
    does not have, and for a file without an arm or a loss.
    """
    frame, source = frame.reset_index(drop=True), reading.source
    selected = select_rows(frame, reading.rules.where, source)
    long = find_long(selected, asked)
    if long and len(long.names) > 1:
        reading.questions.ask(ask_for_metric(long, source))
    given = {Field.LOSS: long.value, **asked} if long else asked
    names = _names(given, [str(name) for name in frame.columns], source, reading.questions)
    reading.questions.check()
    taken = {part for column in names.values() for part in (column, *_parts(column))}
    if not long:
        for question in ask_for_splits(selected, taken, reading.rules.where, source):
            reading.questions.ask(question)
    cells = {field: _cells(selected, column) for field, column in names.items()}
    if Field.ARM not in names:
        return _one_arm(frame, cells, names)
    cells.update(_split_names(cells, names, asked, reading))
    taken = set(names.values())
    further = frame[[name for name in frame.columns if name not in taken]]
    metric = long.names[0] if long and long.names else names[Field.LOSS]
    return Chosen(cells=cells, further=further, names=names, metric=metric)


def _one_arm(
    frame: pd.DataFrame, cells: dict[Field, pd.Series[Any]], names: dict[Field, str]
) -> Chosen:
    """The columns of a file whose rows are all runs of the baseline."""
    import pandas as pd

    losses = cells[Field.LOSS]
    cells[Field.ARM] = pd.Series(BASELINE, index=losses.index, dtype=object)
    further = frame[[name for name in frame.columns if name not in set(names.values())]]
    return Chosen(cells=cells, further=further, names=names, metric=names[Field.LOSS])


def _split_names(
    cells: Mapping[Field, pd.Series[Any]],
    names: dict[Field, str],
    asked: Mapping[Field, str],
    reading: Reading,
) -> Mapping[Field, pd.Series[Any]]:
    """Return arm and seed of runs whose names have both; empty for other files."""
    arm = names[Field.ARM]
    has_seeds = names.get(Field.SEED) == arm
    if has_seeds:
        del names[Field.SEED]
    elif Field.SEED in names:
        ask = arm in RUN_LABELS and not {Field.ARM, Field.SEED} & asked.keys()
        return arms_without_seeds(cells[Field.ARM], cells[Field.SEED], arm, reading, ask=ask)
    elif {*names, *asked} & set(SEED_FIELDS):
        return {}
    only_words = arm not in RUN_LABELS
    return split_run_names(
        cells[Field.ARM], arm, reading, has_seeds=has_seeds, only_words=only_words
    )


def _cells(frame: pd.DataFrame, column: str) -> pd.Series[Any]:
    """Return a column; of several, `lr,wd`, one text for each row: `lr=0.001 wd=0.1`.

    Empty cells are left out of it.
    """
    import pandas as pd

    if column in frame:
        cells: pd.Series[Any] = frame[column]
        return cells
    parts = _parts(column)
    bare = [bare_name(part) for part in parts]
    titles = bare if len(set(bare)) == len(bare) else parts
    rows = zip(*(frame[part].tolist() for part in parts), strict=True)
    texts = [
        " ".join(
            f"{title}={str(cell).strip()}"
            for title, cell in zip(titles, row, strict=True)
            if cell is not None and cell == cell and str(cell).strip()  # noqa: PLR0124  (not NaN)
        )
        for row in rows
    ]
    return pd.Series(texts, index=frame.index, dtype=object)


def _parts(column: str) -> list[str]:
    return [part.strip() for part in column.split(",")]


def parse_columns(words: list[str]) -> dict[Field, str]:
    """Parse `["loss=test/loss"]` into a mapping of fields to columns. Raises ResultsError."""
    found: dict[Field, str] = {}
    fields = [field.value for field in Field]
    for word in words:
        field, equals, column = word.partition("=")
        if not equals or field not in fields:
            raise ResultsError(
                f"--column {shown(word)}: write FIELD=COLUMN with one of {', '.join(fields)}"
                f"{did_you_mean(field, fields)}"
            )
        if found.setdefault(Field(field), column) != column:
            raise ResultsError(f"--column names {field} twice; name it once")
    return found


def _names(
    asked: Mapping[Field, str], present: list[str], source: str, questions: Questions
) -> dict[Field, str]:
    """Return the column of each field. Asks about required fields without a column."""
    _check_present(asked, present, source, questions)
    names = {**dict(recognise(present)), **asked}
    for field in [field for field, column in asked.items() if column == NO_COLUMN]:
        if field == Field.LOSS or (field == Field.ARM and field in dict(recognise(present))):
            raise ResultsError(f"--column {field}=-: a run has to have this; name a column")
        del names[field]
    if Field.LOSS not in asked:
        found = _find_loss(names.get(Field.LOSS), present, source, questions)
        names.update({Field.LOSS: found} if found else {})
    for field in (Field.ARM, Field.LOSS):
        if field not in {**names, **asked}:
            questions.ask(_missing(field, present, source))
    return names


def _check_present(
    asked: Mapping[Field, str], present: list[str], source: str, questions: Questions
) -> None:
    for field, column in asked.items():
        if column in (*present, NO_COLUMN):
            continue
        parts = _parts(column) if field in JOINED else [column]
        for part in parts:
            if part not in present:
                questions.ask(no_column(part, present, source, field))


def _find_loss(
    loss: str | None, present: Sequence[str], source: str, questions: Questions
) -> str | None:
    """Return the column of the test loss; `loss`, the column of that name, may be the training loss."""
    found = [] if loss and _has_arms(present) else find_test_losses(present)
    others = [name for name in present if is_test_metric(name)]
    if loss and not found and others and not is_test_metric(loss):
        questions.ask(
            f"{source} has {shown(loss)}, which may be the training loss, beside {shown_first(others, COLUMNS_LISTED)}; "
            f"choose one with --column loss={quoted(others[0])} or --column loss={quoted(loss)}"
        )
    if len(found) > 1:
        questions.ask(
            f"{source} has the losses {shown_first(found, COLUMNS_LISTED)}; choose one with --column "
            f"loss={quoted(found[0])}"
        )
    return found[0] if found else loss


def _has_arms(present: Sequence[str]) -> bool:
    """True if a column is called `arm`: such a file was written for an import."""
    return any(name.lower() == Field.ARM for name in present)


def _missing(field: Field, present: list[str], source: str) -> str:
    near = did_you_mean(field, present, f"--column {field}=")
    return (
        f"{source} has no column '{field}'{near or _candidates(field, present)} (it has: "
        f"{shown_first(present, COLUMNS_LISTED)})"
    )


def _candidates(field: Field, present: Sequence[str]) -> str:
    """Return the options that name a column for a field without a recognised column."""
    options = [f"--column {field}=COLUMN"]
    if field == Field.LOSS:
        directions = {name: direction_of(name) for name in present if direction_of(name)}
        higher = {Direction.MAXIMIZE: " --higher-is-better", Direction.MINIMIZE: "", None: ""}
        options = [
            f"--column loss={quoted(name)}{higher[direction]}"
            for name, direction in directions.items()
        ] or options
    else:
        likely = [name for name in present if bare_name(name).lower() in LIKELY_ARMS]
        parameters = [name for name in present if bare_name(name) != name][:2] or ["lr", "wd"]
        joined = f"--column arm={quoted(','.join(parameters))} for one made of several"
        options = [*(f"--column arm={quoted(name)}" for name in likely or ["COLUMN"]), joined]
        options = [*options[: _OFFERED - 1], "--column arm=- if all rows are one arm"]
    return f"; name the column that holds it: {' or '.join(options[:_OFFERED])}"
