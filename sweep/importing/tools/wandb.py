"""Weights & Biases: panels, and records of the API with dictionaries in their cells."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError
from sweep.importing.fields import Field, is_test_metric, recognise
from sweep.importing.tools.export import FILE, Asked, Export
from sweep.terminal.printable import shown, shown_first

if TYPE_CHECKING:
    import pandas as pd

_BETWEEN = " - "
"""Between run and metric in the name of a column."""
_STEP = "_step"
"""A metric of every run: the step at which the others were logged."""
_TIMES = re.compile(
    r"relative time.*|wall time|time|timestamp|_?runtime|_timestamp|_absolute_runtime|date.*",
    re.IGNORECASE,
)
"""Axes that are no steps."""
_GROUP = re.compile(r"^[\w./-]+: ")
"""Begins the name of a line that stands for the runs of a group: `Group: clip`, `lr: 0.1`."""
_NUMBER = re.compile(r"\s*[+-]?(\d|\.\d)")
_DICTIONARIES = ("config", "summary", "summary_metrics", "summaryMetrics")
"""Columns of the API that hold a dictionary in each cell."""
_LISTED = 20
"""Metrics that a message lists."""


@dataclass(frozen=True, kw_only=True)
class _Curve:
    """A column of a panel."""

    column: str
    run: str
    metric: str


def read_panel(frame: pd.DataFrame, asked: Asked) -> Export | None:
    """Turn a panel, with a column `RUN - METRIC` per run and metric, into rows of runs and steps.

    The first column is the axis, whatever its name. Raises ResultsError for lines that are means
    of groups, and to ask for one of several metrics.
    """
    import pandas as pd

    axis, curves = _curves(frame)
    if not curves:
        return None
    ranges = [curve for curve in curves if f"{curve.column}__MIN" in frame]
    _check_groups(frame, ranges, asked.source)
    metrics = list(dict.fromkeys(curve.metric for curve in curves if curve.metric != _STEP))
    if Field.LOSS not in asked.columns and len(metrics) > 1:
        raise ResultsError(f"{asked.source}: {_which(metrics)}")
    columns = {Field.ARM: "Name", Field.STEP: axis}
    has_steps = any(curve.metric == _STEP for curve in curves)
    if has_steps:
        columns[Field.STEP] = _STEP
    at_end = not has_steps and _TIMES.fullmatch(axis) is not None
    if at_end:
        del columns[Field.STEP]
    if len(metrics) == 1:
        columns[Field.LOSS] = metrics[0]
    return Export(
        frame=pd.DataFrame(_rows(frame, axis, curves, at_end=at_end)),
        tool="a panel of W&B",
        columns=columns,
        remarks=_about_ranges(frame, ranges),
    )


def _curves(frame: pd.DataFrame) -> tuple[str, list[_Curve]]:
    """Return the axis of a panel and its columns; none if the table is not a panel."""
    axis, *others = [str(name) for name in frame.columns if name != FILE]
    if not others or any(_BETWEEN not in name for name in others) or _BETWEEN in axis:
        return axis, []
    filled = frame[axis].dropna().astype("str")
    if dict(recognise([axis])).keys() - {Field.STEP} or not filled.head(1).str.match(_NUMBER).all():
        return axis, []
    return axis, [
        _Curve(column=name, run=run, metric=metric)
        for name in others
        for run, _, metric in [name.rpartition(_BETWEEN)]
        if metric != axis and not metric.endswith(("__MIN", "__MAX"))
    ]


def _check_groups(frame: pd.DataFrame, curves: Sequence[_Curve], source: str) -> None:
    """Raise ResultsError if a line is the mean of several runs: its range is not empty."""
    for curve in curves:
        if _GROUP.match(curve.run) and any(_has_range(frame, curve)):
            raise ResultsError(
                f"{source}: {shown(curve.run)} is the mean of a group of runs, and a test needs each "
                "run; turn grouping off in the panel and export it again, or export the runs table"
            )


def _has_range(frame: pd.DataFrame, curve: _Curve) -> list[bool]:
    """Return True for rows in which a value stands for a range of values."""
    low, high = (_cells(frame, f"{curve.column}__{end}") for end in ("MIN", "MAX"))
    return [first != last for first, last in zip(low, high, strict=True)]


def _about_ranges(frame: pd.DataFrame, curves: Sequence[_Curve]) -> list[str]:
    """Say if the last value of a run is a mean: of runs, or of steps that were drawn together."""
    for curve in curves:
        logged = [row for row, cell in enumerate(_cells(frame, curve.column)) if cell is not None]
        if logged and _has_range(frame, curve)[logged[-1]]:
            remark = (
                f"The last value of {shown(curve.run)} is a mean, of several steps or of a group of "
                "runs: if the panel is grouped, export it without grouping."
            )
            return [remark]
    return []


def _which(metrics: Sequence[str]) -> str:
    likely = next((name for name in metrics if is_test_metric(name)), metrics[0])
    listed = shown_first(metrics, _LISTED)
    return f"the panel has the metrics {listed}; choose one, such as --column loss={likely}"


def _by_run(curves: Sequence[_Curve]) -> Iterator[tuple[str, list[_Curve]]]:
    """Yield the runs of a panel and their columns; the word `Group` is no part of a name."""
    runs: dict[str, list[_Curve]] = {}
    for curve in curves:
        runs.setdefault(curve.run.removeprefix("Group: "), []).append(curve)
    yield from runs.items()


def _rows(
    frame: pd.DataFrame, axis: str, curves: Sequence[_Curve], *, at_end: bool
) -> dict[str, list[Any]]:
    """Return columns with a row for each run and place of the axis at which it has a value.

    A run without any value has one row. `at_end` gives one row per run, with the last values.
    """
    axis_cells = _cells(frame, axis)
    found: dict[str, list[Any]] = {"Name": [], axis: []}
    found.update({curve.metric: [] for curve in curves})
    for run, own in _by_run(curves):
        cells = {curve.metric: _cells(frame, curve.column) for curve in own}
        values = [column for metric, column in cells.items() if metric != _STEP]
        places = [place for place in range(len(frame)) if any(v[place] is not None for v in values)]
        places = places or [len(frame) - 1]
        for place in places[-1:] if at_end else places:
            found["Name"].append(run)
            found[axis].append(axis_cells[place])
            for metric in found.keys() - {"Name", axis}:
                column = cells.get(metric)
                last = _last if at_end else _at
                found[metric].append(last(column, place) if column else None)
    return found


def _at(column: list[Any], place: int) -> Any:  # noqa: ANN401  (any cell)
    return column[place]


def _last(column: list[Any], place: int) -> Any:  # noqa: ANN401  (any cell)
    """Return the last cell up to a place that is not empty."""
    return next((cell for cell in reversed(column[: place + 1]) if cell is not None), None)


def _cells(frame: pd.DataFrame, name: str) -> list[Any]:
    """Return a column as a list; empty cells are None. A column at a time saves memory."""
    return [None if cell != cell else cell for cell in frame[name].tolist()]  # noqa: PLR0124  (NaN)


def read_records(frame: pd.DataFrame, asked: Asked) -> Export | None:  # noqa: ARG001  (as others)
    """Turn cells that are dictionaries, as the API exports them, into columns.

    A column `Group` without a value does not count: the runs table of ungrouped runs has it.
    """
    import pandas as pd

    empty = [name for name in ("Group", "group") if name in frame and frame[name].isna().all()]
    found = frame.drop(columns=empty).rename(columns=_plain_name)
    for name in _DICTIONARIES:
        if name not in frame or not frame[name].astype("str").str.startswith("{").all():
            continue
        cells = [_parse_dictionary(cell) for cell in frame[name]]
        if all(isinstance(cell, dict) for cell in cells):
            inner = pd.DataFrame([_plain(cell) for cell in cells], index=frame.index)
            inner = inner.add_prefix("summary." if name.startswith("summary") else f"{name}.")
            found = found.drop(columns=name).join(inner.astype(object).where(inner.notna(), None))
    return (
        None if found.columns.equals(frame.columns) else Export(frame=found, tool="records of W&B")
    )


def _plain_name(name: str) -> str:
    return re.sub(r"^summary_?metrics\.", "summary.", name, flags=re.IGNORECASE)


def _plain(cell: dict[str, Any]) -> dict[str, Any]:
    """Return settings without their descriptions: `{"lr": {"value": 0.1, "desc": null}}`."""
    return {
        key: value["value"]
        if isinstance(value, dict) and value.keys() == {"value", "desc"}
        else value
        for key, value in cell.items()
    }


def _parse_dictionary(text: str) -> Any:  # noqa: ANN401  (any literal)
    """Parse a dictionary written by Python or as JSON; None if it is neither."""
    finite = re.sub(r"(?<=[:\s,\[])-?(nan|inf)\b", "'\\1'", text)
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text if read is json.loads else finite)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None
