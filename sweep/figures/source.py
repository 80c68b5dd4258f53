"""The results that figures of a study are made of, each read once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from sweep.figures.curve_data import StudyCurves, read_curves
from sweep.metrics.registry import SCORES
from sweep.searching.results import Tuning, search_result, tuning_of
from sweep.store.metrics import metric_values
from sweep.store.rows import StudyRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.verdicts.arm_costs import StudyCosts, find_costs
from sweep.verdicts.judge import Report, make_report
from sweep.verdicts.racing import race_standing
from sweep.verdicts.stack_choice import choose, parent_of, stack_name
from sweep.verdicts.stack_result import StackResult, load_stack, trained_result

if TYPE_CHECKING:
    import pandas as pd

    from analysis.race import Standing


class ScoredRun(NamedTuple):
    """A run with a test loss and a judge's score."""

    arm: str
    seed: int
    loss: float
    """Nats per token."""
    score: float


class ScoredRuns(NamedTuple):
    """The runs with a score."""

    metric: str
    """The metric that is the score."""
    runs: list[ScoredRun]

    @property
    def correlation(self) -> float | None:
        """That of loss and score; None below three runs, or without spread."""
        from analysis.correlation import correlation

        return correlation([run.loss for run in self.runs], [run.score for run in self.runs])


class Source:
    """A study and its results. A part is read from the store when a figure first asks for it."""

    def __init__(self, store: Store, study: StudyRow, report: Report | None = None) -> None:
        """`report` is that of the study, if it was made already."""
        self._store = store
        self._study = study
        self._given = report

    @property
    def name(self) -> str:
        """Name of the study."""
        return self._study.name

    @property
    def last_end(self) -> float:
        """Unix time at which a run last ended; 0 if none has."""
        return self._store.last_end(self.name)

    @cached_property
    def is_search(self) -> bool:
        """True for a study of trials, whose arms get no verdicts."""
        return self._store.plan(self._study).search is not None

    @cached_property
    def report(self) -> Report:
        """The verdicts on the study."""
        return self._given or make_report(self._store, self._study)

    @property
    def smallest_effect(self) -> float:
        """The smallest effect that matters in the judged metric; 0 if it is not the study's own."""
        return self.report.analysis.smallest_effect if self.report.is_primary else 0.0

    @cached_property
    def losses(self) -> pd.DataFrame:
        """The judged metric of the runs that are done: a row per seed, a column per arm."""
        frame = self.report.evidence.frame
        done = frame[(frame.status == RunState.DONE) & frame.loss.notna()]
        table = done.pivot_table(index="seed", columns="arm", values="loss", sort=False)
        return table.reindex(columns=[arm.name for arm in self.report.arms])

    @cached_property
    def differences(self) -> pd.DataFrame:
        """`losses` minus the baseline's: of the same seed, or its mean if seeds do not pair."""
        baseline, *others = self.losses.columns
        of_baseline = self.losses[baseline]
        if self.report.pairs:
            return self.losses[others].sub(of_baseline, axis=0)
        return self.losses[others] - of_baseline.mean()

    def seed_name(self, seed: int) -> str:
        """What the user calls a seed: imported ones may have had names."""
        names = {number: label for label, number in self.report.plan.labels.items()}
        return names.get(seed, str(seed))

    @cached_property
    def curves(self) -> StudyCurves:
        """The training curves of the study's runs."""
        return read_curves(self._store, self.name, self.report.plan)

    @cached_property
    def costs(self) -> StudyCosts:
        """What the arms cost."""
        return find_costs(self._store, self._study)

    @cached_property
    def scored_runs(self) -> ScoredRuns:
        """The runs with a judge's score: the one that the report is on, else the first there is."""
        found = metric_values(self._store, self.name, list(SCORES))
        metric = self.report.metric.name if self.report.metric.name in SCORES else ""
        metric = metric or next((name for name in SCORES if name in found), "")
        values = found.get(metric, {})
        runs = self._store.study_runs(self.name) if values else []
        return ScoredRuns(
            metric,
            [
                ScoredRun(each.arm, each.seed, each.run.test_loss, values[each.run.id])
                for each in runs
                if each.run.id in values and each.run.test_loss is not None
            ],
        )

    @cached_property
    def tuning(self) -> Tuning:
        """The search that tuned the study's arms, or the search that the study is."""
        if self.is_search:
            return Tuning(result=search_result(self._store, self._study))
        means = {arm.name: arm.mean_loss for arm in self.report.arms}
        return tuning_of(self._store, self._study, means)

    @cached_property
    def standing(self) -> Standing | None:
        """How far the race has come; None if the study is none."""
        if self.report.plan.race_start is None:
            return None
        return race_standing(self._store, self._study)

    @cached_property
    def stack(self) -> StackResult | None:
        """The trained stack of this study, or that this study is; None if there is none."""
        parent = parent_of(self._store, self._study)
        trained = self._store.study_if_any(stack_name(parent.name))
        if trained is None or self._store.plan(trained).stack is None:
            return None
        report = self.report if parent == self._study else make_report(self._store, parent)
        changes = {arm.name: arm.changes for arm in self._store.arms(parent.name)}
        choice, found = choose(report, changes), load_stack(self._store, trained.name)
        known = set(found.stack.members) <= set(choice.results)  # else the study has changed since
        return trained_result(choice, found) if known else None
