"""TensorBoard's event files, read by the package `tensorboard`, which is an extra."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweep.errors import ResultsError
from sweep.importing.files.table import Record, Table, table_of

EVENTS = "tfevents"
"""Is in the name of every event file."""
_INSTALL = "pip install 'gpt-sweep[tensorboard]'"


def read_events(path: Path) -> Table:
    """Read the scalars of an event file: a row per step, a column per tag.

    Raises ResultsError if the package is missing or the file has no scalar.
    """
    try:
        from tensorboard.backend.event_processing import event_accumulator
    except ImportError as error:
        raise ResultsError(
            f"{path} is an event file of TensorBoard, which needs the package tensorboard: "
            f"{_INSTALL}; or download its scalars as CSV from TensorBoard's site"
        ) from error
    limits = dict.fromkeys(("images", "audio", "histograms", "compressedHistograms"), 1)
    events: Any = event_accumulator.EventAccumulator(
        str(path), size_guidance={**limits, "scalars": 0, "tensors": 0}
    )
    events.Reload()
    steps: dict[int, dict[str, str | None]] = {}
    for tag, step, value in _scalars(events):
        steps.setdefault(step, {"step": str(step)})[tag] = repr(value)
    if not steps:
        raise ResultsError(
            f"{path} has no scalars; name the event files of runs that logged a loss"
        )
    rows: list[Record] = [steps[step] for step in sorted(steps)]
    return Table(cells=table_of(rows, path), one_run=True)


def _scalars(events: Any) -> Iterator[tuple[str, int, float]]:  # noqa: ANN401  (an EventAccumulator)
    """Yield tag, step and value of every scalar; TensorFlow 2 writes them as tensors."""
    from tensorboard.util import tensor_util

    for tag in events.Tags()["scalars"]:
        for event in events.Scalars(tag):
            yield tag, event.step, float(event.value)
    for tag in events.Tags()["tensors"]:
        for event in events.Tensors(tag):
            array = tensor_util.make_ndarray(event.tensor_proto)
            if array.size == 1 and array.dtype.kind in "fiu":
                yield tag, event.step, float(array.item())
