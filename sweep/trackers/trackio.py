"""Trackio: a project per study, a group per arm, a run per seed.

`TRACKIO_DIR`, `TRACKIO_SPACE_ID` and the like are the tool's own variables; without a folder of its
own, it gets one beside those of the other trackers.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweep.trackers.base import NO_STEP, Outcome, Point, TrackedRun, Verdicts, key_of
from sweep.trackers.local_mark import SentMark

FOLDER, SPACE = "TRACKIO_DIR", "TRACKIO_SPACE_ID"


class Trackio:
    """Keeps runs in a SQLite file, or sends them to a Space; see `sweep.trackers.base.Tracker`."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault(FOLDER, str(folder / "trackio"))  # read when it is imported
        self._marks = folder / "trackio-sent"
        self._project = ""

    @property
    def link(self) -> str:
        if space := os.environ.get(SPACE):
            return f"https://huggingface.co/spaces/{space}"
        place = shlex.quote(os.environ[FOLDER])
        return f"{FOLDER}={place} trackio show --project {shlex.quote(self._project)}"

    def has_finished(self, run: TrackedRun) -> bool:
        self._project = run.study
        return SentMark(self._marks, run.key).is_whole

    def open(self, run: TrackedRun) -> TrackioRun:
        config = {"arm": run.arm, "seed": run.seed, "run": run.run_id, **run.parameters}
        name = f"{run.name} {run.short_id}"  # by which Trackio finds it again
        made = self._init(run.study, name=name, group=run.arm, config=config)
        mark = SentMark(self._marks, run.key)
        return TrackioRun(made, mark, _stored_step(run.study, name, mark))

    def attach(self, verdicts: Verdicts) -> None:
        import trackio

        mark = SentMark(self._marks, key_of(verdicts.study, verdicts.digest))
        if mark.is_whole:
            return
        made = self._init(verdicts.study, name="verdicts", group="verdicts", config={})
        table = trackio.Table(columns=verdicts.columns, data=verdicts.rows)
        made.log({"verdicts": table, "report": trackio.Markdown(verdicts.markdown)})
        made.finish()
        mark.save(0, whole=True)

    def close(self) -> None:
        """Every run is closed by itself."""

    def _init(self, study: str, **about: Any) -> Any:  # noqa: ANN401  (the tool's own types)
        import trackio

        self._project = study
        return trackio.init(
            project=study,
            resume="allow",
            embed=False,  # no notebook, and no server that nobody has asked for
            auto_log_gpu=False,  # the machine of this process may not be that of the run
            auto_log_cpu=False,
            **about,
        )


class TrackioRun:
    """A run of Trackio; see `sweep.trackers.base.OpenRun`."""

    def __init__(self, run: Any, mark: SentMark, last_step: int) -> None:  # noqa: ANN401
        self._run = run
        self._mark = mark
        self.last_step = last_step

    def log(self, points: Sequence[Point]) -> None:
        for step, values in points:
            self._run.log(dict(values), step=step)
            self.last_step = max(step, self.last_step)
        self._mark.save(self.last_step)

    def finish(self, outcome: Outcome) -> None:
        about = {"state": outcome.state, **({"cause": outcome.cause} if outcome.cause else {})}
        self._run.log({**outcome.metrics, **about}, step=outcome.step)
        self._run.finish()
        self._mark.save(self.last_step, whole=outcome.state != "failed")

    def stop(self) -> None:
        self._run.finish()


def _stored_step(project: str, name: str, mark: SentMark) -> int:
    """The last step that the tool has; of a Space, the last one that was sent."""
    if os.environ.get(SPACE):
        return mark.last_step
    from trackio.sqlite_storage import SQLiteStorage

    found = SQLiteStorage.get_max_step_for_run(project, name)
    return NO_STEP if found is None else int(found)
