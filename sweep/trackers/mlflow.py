"""MLflow: an experiment per study, a parent run per arm, a nested run per seed.

`MLFLOW_TRACKING_URI` and the like are the tool's own variables; without one, a SQLite file beside the
other trackers' is used.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sweep.trackers.base import NO_STEP, Outcome, Point, TrackedRun, Verdicts, key_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KEY = "sweep.key"
"""Tag of a run: its key."""
STATE = "sweep.state"
PARENT = "mlflow.parentRunId"
URI = "MLFLOW_TRACKING_URI"
MAX_METRICS, MAX_PARAMETERS, MAX_TEXT = 1000, 100, 500
"""What one request of MLflow's REST API may hold."""


class Mlflow:
    """Sends runs to a server, or to a SQLite file; see `sweep.trackers.base.Tracker`."""

    def __init__(self, folder: Path) -> None:
        from mlflow import MlflowClient

        self._folder = folder
        self._uri = os.environ.get(URI) or f"sqlite:///{folder / 'mlflow.db'}"
        self._client = MlflowClient(self._uri)
        self._experiments: dict[str, str] = {}
        """Ids by study."""
        self._runs: dict[str, dict[str, Run]] = {}
        """Runs by study and key."""

    @property
    def link(self) -> str:
        return how_to_look(os.environ.get(URI, ""), self._uri)

    def has_finished(self, run: TrackedRun) -> bool:
        found = self._known(run.study).get(run.key)
        if found is not None and not _is_whole(found):  # perhaps it has ended since it was read
            found = self._client.get_run(found.info.run_id)
        return found is not None and _is_whole(found)

    def open(self, run: TrackedRun) -> MlflowRun:
        from mlflow.entities import Param

        known = self._known(run.study)
        if run.key not in known:
            parent = self._arm(run.study, run.arm)
            tags = {PARENT: parent.info.run_id, "sweep.arm": run.arm, "sweep.run": run.run_id}
            known[run.key] = self._make(run.study, run.key, run.name, tags)
            parameters = {"arm": run.arm, "seed": run.seed, **run.parameters}
            for some in _pieces(list(parameters.items()), MAX_PARAMETERS):
                params = [Param(name, str(value)[:MAX_TEXT]) for name, value in some]
                self._client.log_batch(known[run.key].info.run_id, params=params)
            return MlflowRun(self._client, known[run.key], NO_STEP)
        # read again: more may have been sent since
        made = self._client.get_run(known[run.key].info.run_id)
        self._client.update_run(made.info.run_id, status="RUNNING")
        return MlflowRun(self._client, made, self._last_step(made))

    def attach(self, verdicts: Verdicts) -> None:
        key, digest = key_of(verdicts.study, "", "verdicts"), verdicts.digest  # no key of an arm
        known = self._known(verdicts.study)
        if key in known and known[key].data.tags.get("sweep.verdicts") == digest:
            return
        if key not in known:
            known[key] = self._make(verdicts.study, key, "verdicts", {})
        run_id = known[key].info.run_id
        self._client.log_text(run_id, verdicts.markdown, "verdicts.md")
        table = {"columns": verdicts.columns, "data": verdicts.rows}
        self._client.log_dict(run_id, table, "verdicts.json")
        effects = verdicts.figures("effect")
        for arm, verdict in verdicts.figures("verdict").items():
            parent = self._arm(verdicts.study, arm).info.run_id
            self._client.set_tag(parent, "sweep.verdict", str(verdict))
            if isinstance(effects.get(arm), float):
                self._client.log_metric(parent, "effect", effects[arm])
        self._client.set_tag(run_id, "sweep.verdicts", digest)
        self._client.set_terminated(run_id)
        known.pop(key)  # its tags have changed

    def close(self) -> None:
        """Everything was sent at once."""

    def _known(self, study: str) -> dict[str, Run]:
        """The runs of a study that the tool has, by key."""
        if study not in self._runs:
            self._runs[study] = {
                run.data.tags[KEY]: run
                for run in self._search(self._experiment(study))
                if KEY in run.data.tags
            }
        return self._runs[study]

    def _search(self, experiment: str) -> Iterator[Run]:
        token = None
        while True:
            page = self._client.search_runs([experiment], page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _experiment(self, study: str) -> str:
        if study not in self._experiments:
            found = self._client.get_experiment_by_name(study)
            place = None if os.environ.get(URI) else (self._folder / "mlflow-files").as_uri()
            made = found.experiment_id if found else self._create(study, place)
            self._experiments[study] = made
        return self._experiments[study]

    def _create(self, study: str, place: str | None) -> str:
        made: str = self._client.create_experiment(study, artifact_location=place)
        return made

    def _arm(self, study: str, arm: str) -> Run:
        """The parent of an arm's runs."""
        known, key = self._known(study), key_of(study, arm)
        if key not in known:
            known[key] = self._make(study, key, arm, {"sweep.arm": arm})
            self._client.set_terminated(known[key].info.run_id)
        return known[key]

    def _make(self, study: str, key: str, name: str, tags: Mapping[str, str]) -> Run:
        about = {KEY: key, "sweep.study": study, **tags}
        return self._client.create_run(self._experiment(study), run_name=name, tags=about)

    def _last_step(self, run: Run) -> int:
        """The last step of any metric."""
        histories = (
            self._client.get_metric_history(run.info.run_id, name) for name in run.data.metrics
        )
        return max((each.step for history in histories for each in history), default=NO_STEP)


class MlflowRun:
    """A run of MLflow; see `sweep.trackers.base.OpenRun`."""

    def __init__(self, client: MlflowClient, run: Run, last_step: int) -> None:
        self._client = client
        self._id = run.info.run_id
        self.last_step = last_step

    def log(self, points: Sequence[Point]) -> None:
        from mlflow.entities import Metric

        now = _milliseconds()
        values = [
            Metric(name, value, now, step)
            for step, found in points
            for name, value in found.items()
        ]
        for some in _pieces(values, MAX_METRICS):
            self._client.log_batch(self._id, metrics=some)
        self.last_step = max([self.last_step, *(point.step for point in points)])

    def finish(self, outcome: Outcome) -> None:
        from mlflow.entities import Metric, RunTag

        now, step = _milliseconds(), outcome.step
        metrics = [Metric(name, value, now, step) for name, value in outcome.metrics.items()]
        tags = [RunTag(STATE, outcome.state), RunTag("sweep.cause", outcome.cause)]
        self._client.log_batch(self._id, metrics=metrics, tags=tags)
        failed = outcome.state == "failed"
        self._client.set_terminated(self._id, "FAILED" if failed else "FINISHED")

    def stop(self) -> None:
        self._client.set_terminated(self._id, "KILLED")


def how_to_look(given: str, uri: str) -> str:
    """An address or a command, without passwords; `given` is what the user has set, if anything."""
    parts = urlsplit(given)
    if parts.scheme in {"http", "https"}:
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if given:
        return f'mlflow ui --backend-store-uri "${URI}"'
    return shlex.join(["mlflow", "ui", "--backend-store-uri", uri])


def _is_whole(run: Run) -> bool:
    return run.data.tags.get(STATE) in {"done", "diverged"}


def _milliseconds() -> int:
    return int(time.time() * 1000)


def _pieces(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The items, at most `size` at a time."""
    for first in range(0, len(items), size):
        yield items[first : first + size]
