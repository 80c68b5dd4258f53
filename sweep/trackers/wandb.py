"""Weights & Biases: a project per study, a group per arm, a run per seed.

`WANDB_PROJECT`, `WANDB_ENTITY`, `WANDB_MODE` and the like are the tool's own variables and count here
as anywhere.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.trackers.base import NO_STEP, Outcome, Point, TrackedRun, Verdicts, key_of
from sweep.trackers.local_mark import SentMark
from sweep.trackers.wandb_files import offline_step

if TYPE_CHECKING:
    import wandb

INIT_SECONDS = 30.0
"""Longest time for an answer of the server to a new run."""


class WeightsAndBiases:
    """Sends runs to the server, or keeps them in a folder; see `sweep.trackers.base.Tracker`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._marks = folder / "wandb-sent"
        self._url = ""

    @property
    def link(self) -> str:
        if self._url or not any(self._folder.glob("wandb/offline-run-*")):
            return self._url
        return f"wandb sync --include-offline {shlex.quote(str(self._folder))}/wandb/offline-run-*"

    def has_finished(self, run: TrackedRun) -> bool:
        return SentMark(self._marks, run.key).is_whole

    def open(self, run: TrackedRun) -> WandbRun:
        made = self._init(
            run.study,
            id=run.key,
            name=run.name,
            group=run.arm if _is_own_project() else f"{run.study}/{run.arm}",
            job_type="train",
            config={"study": run.study, "arm": run.arm, "seed": run.seed, **run.parameters},
        )
        offline = offline_step(self._folder, run.key) if made.offline else NO_STEP
        return WandbRun(made, SentMark(self._marks, run.key), max(made.step - 1, offline))

    def attach(self, verdicts: Verdicts) -> None:
        import wandb

        key = key_of(verdicts.study, "verdicts")
        mark = SentMark(self._marks, f"{key}-{verdicts.digest}")
        if mark.is_whole:
            return
        made = self._init(verdicts.study, id=key, name="verdicts", job_type="verdicts")
        made.log({"verdicts": wandb.Table(columns=verdicts.columns, data=_texts(verdicts.rows))})
        made.summary.update({"report": verdicts.markdown})
        made.finish()
        mark.save(0, whole=True)

    def close(self) -> None:
        """Every run is closed by itself."""

    def _init(self, study: str, **about: Any) -> wandb.Run:  # noqa: ANN401  (options of wandb.init)
        import wandb

        settings = wandb.Settings(
            console="off",  # runs print to their own logs
            silent=True,
            init_timeout=INIT_SECONDS,
            disable_git=True,  # sweep records the code of each run; this process runs none of it
            disable_code=True,
            x_disable_stats=True,  # the machine of this process may not be that of the run
        )
        project = study if _is_own_project() else None
        made = wandb.init(
            project=project,
            dir=str(self._folder),
            resume="allow",
            reinit="create_new",
            settings=settings,
            **about,
        )
        if not made.offline:
            self._url = made.project_url or ""
        return made


class WandbRun:
    """A run of W&B; see `sweep.trackers.base.OpenRun`."""

    def __init__(self, run: wandb.Run, mark: SentMark, last_step: int) -> None:
        self._run = run
        self._mark = mark
        self.last_step = last_step

    def log(self, points: Sequence[Point]) -> None:
        for step, values in points:
            self._run.log(dict(values), step=step)
            self.last_step = max(step, self.last_step)

    def finish(self, outcome: Outcome) -> None:
        cause = {"cause": outcome.cause} if outcome.cause else {}
        self._run.summary.update({"state": outcome.state, **cause, **outcome.metrics})
        failed = outcome.state == "failed"
        self._run.finish(exit_code=int(failed))
        self._mark.save(self.last_step, whole=not failed)

    def stop(self) -> None:
        self._run.summary.update({"state": "stopped"})
        self._run.finish(exit_code=0)


def _is_own_project() -> bool:
    """True if each study has a project: the user has named none for all of them."""
    return not os.environ.get("WANDB_PROJECT")


def _texts(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows whose columns have one type each: what is no number is a text."""
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: Any) -> Any:  # noqa: ANN401  (JSON)
    plain = value is None or isinstance(value, str | int | float)
    return value if plain else str(value) if not isinstance(value, Mapping) else dict(value)
