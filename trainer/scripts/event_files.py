"""Read the scalars that a script writes for TensorBoard; needs the extra `tensorboard`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trainer.scripts.curves import Curves
from trainer.scripts.output import json_keys
from trainer.scripts.request import MetricSource
from trainer.scripts.written_files import is_regular, state_of

EVENT_FILE = "tfevents"
"""Part of the name of each of TensorBoard's files."""
INSTALL = "pip install 'gpt-sweep[tensorboard]'"


class EventFiles:
    """The event files in a folder and below. A scalar is a metric if its tag is the metric's key."""

    def __init__(self, folder: Path, metrics: dict[str, MetricSource], curves: Curves) -> None:
        self._folder = folder
        self._curves = curves
        self._names = json_keys(metrics)
        self._states = {path: state_of(path) for path in self._files()}
        """Files of an earlier attempt are read once they grow, and then from the start."""
        self._loaders: dict[Path, Any] = {}
        self.unreadable = False
        """True if there are files, but the package is missing."""

    def read(self) -> bool:
        """Read what was added; False if that is nothing."""
        grown = [path for path in self._files() if self._has_grown(path)]
        if not grown or not self._names:
            return bool(grown)
        make_loader = _loader_class()
        self.unreadable = make_loader is None
        if make_loader is None:
            return True
        for path in grown:
            if path not in self._loaders:
                self._loaders[path] = make_loader(str(path))
            for tag, step, value in _scalars(self._loaders[path]):
                for name in self._names.get(tag, ()):
                    self._curves.add(name, value, step)
        return True

    def _files(self) -> list[Path]:
        return [
            Path(folder, name)
            for folder, _, names in os.walk(self._folder)
            for name in names
            if EVENT_FILE in name and is_regular(Path(folder, name))
        ]

    def _has_grown(self, path: Path) -> bool:
        state = state_of(path)
        grown = self._states.get(path) != state
        self._states[path] = state
        return grown


def _loader_class() -> Callable[[str], Any] | None:
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    except ImportError:
        return None
    return EventFileLoader  # type: ignore[no-any-return]


def _scalars(loader: Any) -> Iterator[tuple[str, int, float]]:  # noqa: ANN401  (tensorboard has no types)
    """Yield tag, step and value of each new scalar."""
    from tensorboard.util import tensor_util

    for event in loader.Load():
        for value in event.summary.value if event.HasField("summary") else ():
            if value.HasField("tensor"):
                array = tensor_util.make_ndarray(value.tensor)
                if array.size == 1 and array.dtype.kind in "fiu":
                    yield value.tag, event.step, float(array.item())
