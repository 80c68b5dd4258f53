"""What a judge's scores say beside their means: noise, bias, agreement with the loss, confounders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.judging.score_files import RunScores, read_scores
from sweep.store.rows import PlannedRun
from sweep.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from analysis.scores import LossAndScore, PositionBias, ScoreNoise


@dataclass(frozen=True, kw_only=True)
class JudgedStudy:
    """The scores of a study's runs by one judge."""

    files: Sequence[RunScores]
    noise: Mapping[str, ScoreNoise]
    """By arm."""
    positions: Sequence[PositionBias]
    agreement: LossAndScore | None
    """The correlation of test loss and score over runs."""
    judges: Sequence[Mapping[str, Any]]
    """What identifies the judge; more than one if it differs between runs."""
    setups: int
    """How many combinations of data and fine-tune settings the scores come from; 1 as it should be."""

    @property
    def missing(self) -> int:
        """How many answers have no score."""
        return sum(each.missing for each in self.files)

    @property
    def still_falling(self) -> int:
        """How many fine-tunes ended by `max_epochs` with a validation loss that was not rising."""
        return sum(each.still_falling for each in self.files)

    @property
    def ended_answers(self) -> float:
        """The share of answers that ended by themselves."""
        return sum(each.ended_answers for each in self.files) / len(self.files)


def read_judged(
    store: Store, study: str, metric: str, baseline: str, alpha: float
) -> JudgedStudy | None:
    """Read the scores of a study's runs from their directories; None if there are none."""
    from analysis.scores import loss_and_score, position_bias, score_noise

    runs = store.study_runs(study)
    files = _files(store, runs, metric)
    if not files:
        return None
    frame = _frame(runs, files)
    losses = {each.run.id: each.run.test_loss for each in runs if each.run.test_loss is not None}
    scores = {run_id: found.value for run_id, found in files.items()}
    judges = {repr(sorted(each.judge.items())): each.judge for each in files.values()}
    setups = {(each.data_hash, repr(sorted(each.settings.items()))) for each in files.values()}
    return JudgedStudy(
        files=list(files.values()),
        noise=score_noise(frame, baseline, alpha),
        positions=position_bias(frame),
        agreement=loss_and_score(losses, scores, alpha),
        judges=list(judges.values()),
        setups=len(setups),
    )


def _files(store: Store, runs: Sequence[PlannedRun], metric: str) -> dict[str, RunScores]:
    """The scores by run."""
    if store.ledger is None:
        return {}
    found: dict[str, RunScores] = {}
    for each in runs:
        scores = read_scores(store.ledger.run(each.run.id), metric)
        if scores is not None:
            found[each.run.id] = scores
    return found


def _frame(runs: Sequence[PlannedRun], files: Mapping[str, RunScores]) -> pd.DataFrame:
    """A row per score, with arm, seed, item, repeat, position and score."""
    import pandas as pd

    rows = [
        (run.arm, run.seed, number, score.repeat, score.position, score.value)
        for run in runs
        if run.run.id in files
        for number, item in enumerate(files[run.run.id].items)
        for score in item.scores
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "item", "repeat", "position", "score"])
