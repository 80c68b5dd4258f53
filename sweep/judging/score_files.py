"""The scores of a run, in a file beside its result, and as one of its metrics in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from model.config import Config
from sweep.judging.judge import Score
from sweep.metrics.registry import INSTRUCTION_LOSS, SCORES
from trainer.files import write_json
from trainer.rundir.directory import RunDirectory


class OneScore(Config):
    """The score of an answer in one repeat."""

    repeat: int
    """From 0."""
    value: float
    """From 0 to 100."""
    position: int | None = None
    """The place of the answer in the judge's prompt; None if the judge sees one answer."""


class ItemScores(Config):
    """The scores of the answer to one test item; repeats without a readable reply are left out."""

    scores: list[OneScore]
    """In the order of their repeats."""

    @property
    def mean(self) -> float | None:
        """The mean over repeats; None without a score."""
        values = [each.value for each in self.scores]
        return sum(values) / len(values) if values else None


class RunScores(Config):
    """The content of `scores-METRIC.json` in the directory of a run."""

    run_id: str
    metric: str
    value: float
    """The mean over the items that have a score, of the mean over their repeats; 0 to 100."""
    loss: float | None = None
    """The fine-tuned model's loss on the reference answers, nats per token."""
    judge: dict[str, Any]
    """What identifies the judge."""
    data_hash: str
    settings: dict[str, Any]
    """The settings of the fine-tune that are not the default."""
    items: list[ItemScores] = Field(min_length=1)
    """By test item."""
    still_falling: bool
    """True if the fine-tune ended by `max_epochs` before its validation loss rose."""
    ended_answers: float
    """The share of answers that ended by themselves, and were not cut at `answer_tokens`."""
    judged: float
    """Unix time."""

    @property
    def missing(self) -> int:
        """How many items have no score."""
        return sum(not item.scores for item in self.items)


def mean_score(items: Sequence[ItemScores]) -> float | None:
    """The mean over items of the mean over repeats; None if no item has a score."""
    means = [mean for item in items if (mean := item.mean) is not None]
    return sum(means) / len(means) if means else None


def scores_by_item(scores: Sequence[Score], items: int) -> dict[str, list[ItemScores]]:
    """Scores by run and item, in the order of their repeats."""
    found: dict[str, list[list[OneScore]]] = {}
    for score in sorted(scores, key=lambda each: each.repeat):
        of_run = found.setdefault(score.run_id, [[] for _ in range(items)])
        if score.value is not None:
            one = OneScore(repeat=score.repeat, value=score.value, position=score.position)
            of_run[score.number].append(one)
    return {
        run_id: [ItemScores(scores=each) for each in of_run] for run_id, of_run in found.items()
    }


def write_scores(directory: RunDirectory, scores: RunScores) -> None:
    """Write the scores of a run to its directory. Raises OSError."""
    write_json(_file(directory, scores.metric), scores.model_dump(mode="json"))


def read_scores(directory: RunDirectory, metric: str) -> RunScores | None:
    """Read a run's scores for a metric; None if their file is missing or damaged."""
    try:
        return RunScores.model_validate_json(_file(directory, metric).read_bytes())
    except (OSError, ValidationError):
        return None


def stored_metrics(directory: RunDirectory, run_id: str) -> Iterator[dict[str, Any]]:
    """Rows of the table `metrics` from a run's files of scores; damaged files are left out.

    Each judge's file has the loss of the fine-tune that it judged; the latest one counts.
    """
    read = [read_scores(directory, metric) for metric in SCORES]
    found = [scores for scores in read if scores and scores.run_id == run_id]
    for scores in found:
        yield {"run_id": run_id, "name": scores.metric, "value": scores.value}
    latest = max(found, key=lambda scores: scores.judged, default=None)
    if latest and latest.loss is not None:
        yield {"run_id": run_id, "name": INSTRUCTION_LOSS.name, "value": latest.loss}


def _file(directory: RunDirectory, metric: str) -> Path:
    return directory.path / f"scores-{metric}.json"
