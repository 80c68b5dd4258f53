"""Store the scores of runs: a file in each run's directory, and metrics in the database."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.errors import ExecutionError
from sweep.judging.answered_runs import TunedRun, fine_tune_results
from sweep.judging.judge import Score
from sweep.judging.score_files import RunScores, mean_score, scores_by_item, write_scores
from sweep.metrics.registry import INSTRUCTION_LOSS
from sweep.store.ledger import directory_name
from sweep.store.metrics import replace_metric
from sweep.store.store import Store
from sweep.trainers.instruction import ENDED
from trainer.instructions.settings import InstructionSettings
from trainer.rundir.directory import Result, RunDirectory

LOSS = INSTRUCTION_LOSS.name


@dataclass(frozen=True)
class Session:
    """What scores are stored with."""

    metric: str
    judge: Mapping[str, Any]
    """What identifies the judge."""
    data_hash: str
    settings: InstructionSettings
    items: int
    """Number of test items."""


def record_scores(
    store: Store,
    folder: Path,
    session: Session,
    runs: Sequence[TunedRun],
    scores: Sequence[Score],
) -> None:
    """Store the scores of these runs. Raises ExecutionError if a file cannot be written."""
    items, results = scores_by_item(scores, session.items), fine_tune_results(runs, folder)
    losses = {
        run_id: result.metrics[LOSS] for run_id, result in results.items() if LOSS in result.metrics
    }
    values: dict[str, float] = {}
    for run_id, of_run in items.items():
        value = mean_score(of_run)
        if value is None:
            continue
        values[run_id] = value
        found = RunScores(
            run_id=run_id,
            metric=session.metric,
            value=value,
            loss=losses.get(run_id),
            judge=dict(session.judge),
            data_hash=session.data_hash,
            settings=session.settings.model_dump(mode="json", exclude_defaults=True),
            items=of_run,
            still_falling=_is_still_falling(results[run_id], session.settings),
            ended_answers=results[run_id].metrics[ENDED],
            judged=time.time(),
        )
        _write(RunDirectory(folder / directory_name(run_id)), found)
    ids = [each.run.id for each in runs]
    replace_metric(store, session.metric, ids, values)
    replace_metric(store, LOSS, ids, losses)


def _is_still_falling(result: Result, settings: InstructionSettings) -> bool:
    """True if the fine-tune would have gone on without `max_epochs`."""
    before, last = result.provenance["validation_losses"][-2:]
    return settings.stop == "first-rise" and last is not None and last <= before


def _write(directory: RunDirectory, found: RunScores) -> None:
    try:
        write_scores(directory, found)
    except OSError as error:
        raise ExecutionError(
            f"the scores cannot be written to {directory.path} ({error.strerror}); free some space, "
            "or make it writable, and judge again"
        ) from error
