"""TensorBoard: a folder of event files per run, with seeds as one group of the HParams page."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.trackers.base import NO_STEP, Outcome, Point, TrackedRun, Verdicts

FINISHED = "finished"
"""A file with this name beside the event files: the run is whole."""
_UNSAFE = re.compile(r"[^\w.,+=() -]")


class TensorBoard:
    """Writes event files below `tensorboard/`; see `sweep.trackers.base.Tracker`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tensorboard"

    @property
    def link(self) -> str:
        return shlex.join(["tensorboard", "--logdir", str(self._folder)])

    def has_finished(self, run: TrackedRun) -> bool:
        return (self._place(run) / FINISHED).exists()

    def open(self, run: TrackedRun) -> EventFiles:
        return EventFiles(self._place(run), run)

    def attach(self, verdicts: Verdicts) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        place = self._folder / _safe(verdicts.study) / "verdicts"
        mark = place / verdicts.digest
        if mark.exists():
            return
        for old in place.glob("*"):
            if old.is_file():  # folders are runs of an arm that is called so
                old.unlink()
        writer = EventFileWriter(str(place))
        writer.add_event(_text_event("verdicts", verdicts.markdown))
        writer.close()
        mark.touch()

    def close(self) -> None:
        """Every run is closed by itself."""

    def _place(self, run: TrackedRun) -> Path:
        last = f"{run.seed}-{run.short_id}"
        return self._folder.joinpath(*map(_safe, (run.study, run.arm, last)))


class EventFiles:
    """The event files of a run; see `sweep.trackers.base.OpenRun`."""

    def __init__(self, place: Path, run: TrackedRun) -> None:
        from tensorboard.plugins.hparams import summary_v2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._place = place
        is_new = not place.exists()
        self.last_step = NO_STEP if is_new else _last_step(place)
        (place / FINISHED).unlink(missing_ok=True)
        self._writer = EventFileWriter(str(place))
        if is_new:
            group = _safe(run.arm)  # TensorBoard averages the runs of a group
            parameters = {"arm": run.arm, **run.parameters}
            self._add(summary_v2.hparams_pb(parameters, trial_id=group))
        self._writer.flush()

    def log(self, points: Sequence[Point]) -> None:
        for step, values in points:
            self._add_scalars(step, values)
        self._writer.flush()

    def finish(self, outcome: Outcome) -> None:
        from tensorboard.plugins.hparams import api_pb2

        self._add_scalars(outcome.step, outcome.metrics)
        failed = outcome.state == "failed"
        status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
        if outcome.cause:
            self._writer.add_event(_text_event(outcome.state, outcome.cause))
        self._add(_session_end(status))
        self._writer.close()
        if not failed:
            (self._place / FINISHED).touch()

    def stop(self) -> None:
        self._writer.close()

    def _add_scalars(self, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self.last_step = max(step, self.last_step)
        scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._add(Summary(value=scalars), step)

    def _add(self, content: Any, step: int = 0) -> None:  # noqa: ANN401  (a protocol buffer)
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(summary=content, step=step, wall_time=time.time()))


def _safe(name: str) -> str:
    """A name as a part of a path."""
    return _UNSAFE.sub("_", name)


def _last_step(place: Path) -> int:
    """The last step in the event files of a folder."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    files = sorted(place.glob("events.out.tfevents.*"))
    steps = [
        event.step for file in files for event in EventFileLoader(str(file)).Load() if event.step
    ]
    return max(steps, default=NO_STEP)


def _session_end(status: int) -> Any:  # noqa: ANN401  (a protocol buffer)
    """The end of a session of the HParams page."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    content = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time()),
        version=metadata.PLUGIN_DATA_VERSION,
    )
    plugin = SummaryMetadata.PluginData(
        plugin_name=metadata.PLUGIN_NAME, content=content.SerializeToString()
    )
    about = SummaryMetadata(plugin_data=plugin)
    return Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about)])


def _text_event(tag: str, text: str) -> Any:  # noqa: ANN401  (a protocol buffer)
    """Markdown for the page of texts."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    tensor = TensorProto(
        dtype=DT_STRING,
        string_val=[text.encode()],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    value = Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
    return Event(summary=Summary(value=[value]), wall_time=time.time())
