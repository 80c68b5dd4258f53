"""The rows of a file as runs: numbers are numbers, and a run is there once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError, did_you_mean
from sweep.importing.columns import Chosen
from sweep.study.file import STREAM_COLUMNS
from sweep.terminal.printable import harmless, shown

if TYPE_CHECKING:
    import pandas as pd

LONGEST_NAME = 64
"""Characters of an arm's name."""
STATUSES = {
    "done": ("done", "finished", "completed", "complete", "success", "succeeded", "ok"),
    "diverged": ("diverged",),
    "failed": (
        *("failed", "crashed", "killed", "cancelled", "canceled", "error", "preempted"),
        *("running", "queued", "pending", "scheduled", "preempting"),
    ),
}
"""Our statuses by those of others. What had not ended when it was exported has failed here."""
_MISSING = ("", "na", "n/a", "null", "none", "-")


@dataclass(frozen=True)
class Runs:
    """What a file says, run by run."""

    frame: pd.DataFrame
    """`arm`, `label` (what tells a run of an arm from another), `seed` (None where it has to be
    numbered), the three stream seeds, `loss` (NaN where there is none), `status`, `cause`, `row`
    (counted from 1, below the header)."""
    seed_columns: tuple[str, ...]
    """The columns that runs pair by; none where they never do."""
    remarks: list[str] = field(default_factory=list)
    """What a person should know, in sentences."""


def read_runs(chosen: Chosen, source: str) -> Runs:
    """Check every row and keep one for each run: of several steps the last.

    Raises ResultsError, naming row and value, for a loss that is no number, a status that nobody
    knows, a name that no arm can have, and a run with two different losses.
    """
    rows = chosen.rows.reset_index(drop=True)
    seeds = tuple(name for name in ("seed", *STREAM_COLUMNS) if name in rows)
    frame = _identities(rows, seeds, source)
    frame["loss"], absent = _losses(rows["loss"], source)
    frame["status"], frame["cause"] = _outcomes(rows, frame["loss"], source)
    if "step" in rows:
        frame = _last_steps(frame, _numbers(rows["step"], "step", source), absent, source)
    frame, twice = _collapsed(frame, source)
    return Runs(frame, seeds, [*_duplicates(twice), *_diverged(frame)])


def _identities(rows: pd.DataFrame, seeds: tuple[str, ...], source: str) -> pd.DataFrame:
    """Arm, label and seeds of every row."""
    frame = rows[["arm"]].assign(row=range(1, len(rows) + 1))
    frame["arm"] = _arm_names(rows["arm"], source)
    labels = [_seed_labels(rows[name]) for name in seeds]
    if labels:
        frame["label"] = labels[0]
        for more in labels[1:]:
            frame["label"] = frame["label"] + "/" + more
        blank = (frame["label"] == "") | (frame["label"] == "/" * (len(labels) - 1))
        frame.loc[blank, "label"] = None
    elif "run" in rows:
        frame["label"] = "run " + rows["run"].astype("str").where(rows["run"].notna())
    else:
        frame["label"] = None
    whole = frame["label"] if len(seeds) == 1 else frame["label"].where(frame["arm"].isna())
    frame["seed"] = _whole(whole)
    frame["label"] = frame["seed"].astype("str").where(frame["seed"].notna(), frame["label"])
    for name in STREAM_COLUMNS:
        if name in rows:
            frame[name] = _stream(rows[name], name, source)
        else:
            frame[name] = frame["seed"].fillna(0) if seeds == ("seed",) else 0
    return frame


def _arm_names(column: pd.Series[Any], source: str) -> pd.Series[Any]:
    text = column.astype("str").str.strip()
    blank = column.isna() | (text == "")
    if blank.any():
        raise ResultsError(f"{source}: row {blank.argmax() + 1} names no arm")
    long = text.str.len() > LONGEST_NAME
    if long.any():
        row = int(long.argmax())
        raise ResultsError(
            f"{source}: row {row + 1} has an arm of {len(text[row])} characters, "
            f"{shown(text[row])}; {LONGEST_NAME} is the most"
        )
    return text.map({name: harmless(name) for name in text.unique()})


def _seed_labels(column: pd.Series[Any]) -> pd.Series[Any]:
    """Seeds as text; `42.0`, which programs make of 42 beside an empty cell, is 42."""
    text = column.astype("str").where(column.notna(), "").str.strip()
    return text.str.replace(r"^([+-]?\d+)\.0+$", r"\1", regex=True)


def _whole(labels: pd.Series[Any]) -> pd.Series[Any]:
    """The labels as whole numbers; NA for all of them where one is something else."""
    import pandas as pd

    given = labels.dropna()
    if given.str.fullmatch(r"\d{1,18}").all():
        return given.astype("int64").astype("Int64").reindex(labels.index)
    return pd.Series(pd.NA, index=labels.index, dtype="Int64")


def _stream(column: pd.Series[Any], name: str, source: str) -> pd.Series[Any]:
    labels = _seed_labels(column)
    wrong = ~labels.str.fullmatch(r"\d{1,18}")
    if wrong.any():
        row = int(wrong.argmax())
        raise ResultsError(
            f"{source}: row {row + 1}: {name} is {shown(labels[row])}; it must be a whole number"
        )
    return labels.astype("int64")


def _losses(column: pd.Series[Any], source: str) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Losses, and where the cell was empty."""
    values = _numbers(column, "loss", source)
    absent = column.isna()
    if not _is_number(column):
        absent = absent | column.astype("str").str.strip().str.lower().isin(_MISSING)
    return values, absent


def _numbers(column: pd.Series[Any], name: str, source: str) -> pd.Series[Any]:
    """A column as floats, rounded correctly; NaN where it is empty. Raises ResultsError."""
    import pandas as pd

    if _is_number(column):
        return column.astype("float64")
    values = []
    for row, cell in enumerate(column.tolist(), 1):
        try:
            values.append(_number(cell))
        except (TypeError, ValueError) as error:
            raise ResultsError(
                f"{source}: row {row}: {name} is {shown(cell)}, which is no number"
            ) from error
    return pd.Series(values, index=column.index, dtype="float64")


def _is_number(column: pd.Series[Any]) -> bool:
    from pandas.api import types

    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def _number(cell: Any) -> float:  # noqa: ANN401  (whatever a file holds)
    """Raises ValueError or TypeError; Python would take `1_000`, and digits of every script."""
    if isinstance(cell, str):
        word = cell.strip()
        if word.lower() in _MISSING:
            return math.nan
        if "_" in word or not word.isascii():
            raise ValueError(cell)
        return float(word)
    if isinstance(cell, bool):
        raise TypeError(cell)
    return math.nan if cell is None else float(cell)


def _outcomes(
    rows: pd.DataFrame, losses: pd.Series[Any], source: str
) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Status and cause of every row; a run that should have a loss and has none has diverged."""
    from analysis.runs import LARGEST_LOSS

    if "status" in rows:
        written = rows["status"].astype("str").where(rows["status"].notna(), "").str.strip()
        status = _statuses(written, source)
        cause = ("its status was " + written).where(status == "failed")
    else:
        status = losses.map(lambda _: "done")
        cause = losses.map(lambda _: None)
    lost = (status == "done") & ~(losses.abs() <= LARGEST_LOSS)
    cause = cause.where(~lost, losses.map(_no_loss))
    return status.mask(lost, "diverged"), cause


def _no_loss(loss: float) -> str:
    return "it has no loss" if math.isnan(loss) else f"its loss is {loss}"


def _statuses(written: pd.Series[Any], source: str) -> pd.Series[Any]:
    ours = {theirs: ours for ours, all_theirs in STATUSES.items() for theirs in all_theirs}
    ours[""] = "done"
    found = written.str.lower().map(ours)
    if found.isna().any():
        row = int(found.isna().argmax())
        word = str(written.iloc[row])
        raise ResultsError(
            f"{source}: row {row + 1}: status is {shown(word)}, which is none of "
            f"{', '.join(list(ours)[:-1])}{did_you_mean(word.lower(), list(ours)[:-1])}"
        )
    return found


def _last_steps(
    frame: pd.DataFrame, steps: pd.Series[Any], absent: pd.Series[Any], source: str
) -> pd.DataFrame:
    """The row of the last step of each run at which a loss was logged."""
    if steps.isna().any():
        raise ResultsError(f"{source}: row {steps.isna().argmax() + 1} has no step")
    frame = frame.assign(step=steps, absent=absent)
    frame["label"] = frame["label"].fillna(
        ""
    )  # without seed or run, the rows of an arm are one run
    run = ["arm", "label"]
    logged = ~absent | frame.groupby(run)["absent"].transform("all")
    frame = frame[logged]
    last = frame["step"] == frame.groupby(run)["step"].transform("max")
    kept = frame[last]
    alone = (kept["label"] == "") & kept.duplicated(run, keep=False)
    if alone.any():
        first = kept[alone].iloc[0]
        raise ResultsError(
            f"{source}: arm {shown(first['arm'])} has step {first['step']:g} more than once, and "
            "nothing tells its runs apart; name the column that does: --column seed=COLUMN or "
            "--column run=COLUMN"
        )
    kept = kept.drop(columns=["step", "absent"]).reset_index(drop=True)
    return kept.assign(label=kept["label"].where(kept["label"] != "", None))


def _collapsed(frame: pd.DataFrame, source: str) -> tuple[pd.DataFrame, int]:
    """One row for each run, and how many were left out. Rows without a label are all runs."""
    named = frame["label"].notna()
    again = named & frame.duplicated(["arm", "label"], keep="first")
    if again.any():
        _check_agreement(frame[named], source)
    return frame[~again].reset_index(drop=True), int(again.sum())


def _check_agreement(frame: pd.DataFrame, source: str) -> None:
    same = frame[~frame.duplicated(["arm", "label", "loss", "status"], keep="first")]
    conflict = same[same.duplicated(["arm", "label"], keep=False)]
    if conflict.empty:
        return
    first = conflict.iloc[0]
    second = conflict[
        (conflict["arm"] == first["arm"]) & (conflict["label"] == first["label"])
    ].iloc[1]
    raise ResultsError(
        f"{source}: rows {first['row']} and {second['row']} are both {run_name(first)}, with "
        f"{outcome(first)} and {outcome(second)}; keep the right one"
    )


def run_name(row: Any) -> str:  # noqa: ANN401  (a row of a DataFrame)
    """`arm 'clip', seed 3`, for sentences."""
    label = str(row["label"])
    return f"arm {shown(row['arm'])}, {label if label.startswith('run ') else 'seed ' + label}"


def outcome(row: Any) -> str:  # noqa: ANN401  (as above)
    """`loss 2.5`, or how it ended without one."""
    return f"loss {float(row['loss'])!r}" if row["status"] == "done" else f"status {row['status']}"


def _duplicates(count: int) -> list[str]:
    if not count:
        return []
    rows = (
        "1 row repeats another and counts"
        if count == 1
        else f"{count} rows repeat others and count"
    )
    return [f"{rows} once."]


def _diverged(frame: pd.DataFrame) -> list[str]:
    lost = frame[(frame["status"] == "diverged") & frame["cause"].notna()]
    if lost.empty:
        return []
    who = "1 run has" if len(lost) == 1 else f"{len(lost)} runs have"
    counts = "counts" if len(lost) == 1 else "count"
    rows = _some_rows(lost["row"].tolist())
    return [f"{who} no finite loss and {counts} as diverged: {rows}."]


def _some_rows(rows: Sequence[int]) -> str:
    listed = ", ".join(str(row) for row in rows[:8])
    return f"row{'s' if len(rows) > 1 else ''} {listed}{', …' if len(rows) > 8 else ''}"
