"""Judge a study by the runs in the store: the data behind `sweep report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sweep.errors import ResultsError
from sweep.evals.metrics import with_eval_metrics
from sweep.history.history import PlanHistory, plan_history
from sweep.metrics.metric import Direction, Metric
from sweep.metrics.registry import PRIMARY
from sweep.noise.records import CitedNoise, cited_noise
from sweep.noise.setting import stored_setting
from sweep.store.plan_content import AnalysisSettings, PlanContent, StackContent
from sweep.store.rows import ArmRow, StudyRow
from sweep.store.store import Store
from sweep.verdicts.analysis_plan import NO_QUESTIONS, Questions, analysis_plan
from sweep.verdicts.effects import DesignEffects, find_effects
from sweep.verdicts.evidence import Evidence, read_evidence
from sweep.verdicts.family_growth import FamilyGrowth, find_family_growth
from sweep.verdicts.guards import Guard, find_guards
from sweep.verdicts.references import Reference, study_references
from sweep.verdicts.run_facts import RunFacts, find_run_facts
from sweep.verdicts.settling import Settling, find_settling
from sweep.verdicts.steps import StudyStep, find_steps
from sweep.verdicts.stopped import StoppedArm, find_stopped, with_stopped
from sweep.verdicts.test_text import MAX_RUNS, ChunkEffects, TextDependence, read_chunk_effects

if TYPE_CHECKING:
    from analysis.rules import Plan
    from analysis.verdict import ArmVerdict, Judgement

NO_CHUNKS = ChunkEffects()
"""Nothing is known of the test text."""


@dataclass(frozen=True, kw_only=True)
class ArmReport:
    """One arm of a report."""

    interventions: Sequence[str]
    result: ArmVerdict
    """Effect and verdict; for the baseline, only the numbers of runs and their mean."""
    text: TextDependence
    seconds_to_settle: float | None
    """Training time of the further seeds of this arm and the baseline, one run at a time; None if
    their number or the time of a run is unknown. `settling` has what the study's command takes."""
    seconds: float | None
    """Training time of all its runs so far; None if no run was timed."""
    settling: Settling | None = None
    """What the command costs that would settle an undecided verdict; None if that is unknown."""
    stopped: StoppedArm | None = None
    """The decision to stop it early; None for other arms."""

    @property
    def name(self) -> str:
        """Name of the arm."""
        return self.result.arm

    @property
    def mean_loss(self) -> float | None:
        """Mean test loss over the runs that are done, nats per token."""
        return self.result.mean

    @property
    def effect(self) -> float | None:
        """Arm minus baseline, nats per token."""
        return self.result.effect

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """The interval that the verdict uses, nats per token; two None if there is none."""
        return self.result.ci_low_adjusted, self.result.ci_high_adjusted

    @property
    def has_yet_to_run(self) -> bool:
        """True if no run has ended."""
        return bool(self.result.n_missing) and not self.result.n_ended

    @property
    def lacks_baseline(self) -> bool:
        """True if the arm has a loss and the baseline has none to compare it with."""
        return self.result.n_done > 0 and self.result.effect is None


@dataclass(frozen=True, kw_only=True)
class Report:
    """The verdicts on a study, and the facts that help to interpret them."""

    study: str
    plan_hash: str
    history: PlanHistory
    analysis: AnalysisSettings
    judgement: Judgement
    arms: Sequence[ArmReport]
    """The baseline first."""
    family_growth: FamilyGrowth | None
    """Verdicts that differ only because the study asks more questions than before."""
    references: Sequence[Reference]
    """The best one first."""
    evidence: Evidence
    facts: RunFacts
    chunk_effects: ChunkEffects
    plan: PlanContent
    """The plan that was last run."""
    path: str
    """The study's file."""
    metric: Metric
    """The metric that was judged."""
    guards: Sequence[Guard]
    """Other metrics with a bound each, and the answers for each arm."""
    noise_on_record: CitedNoise | None
    """The result of `sweep noise` for this baseline, with a warning if it no longer holds."""
    imported: bool
    """True if the results were imported."""
    effects: DesignEffects | None = None
    """The effects of a design that combines interventions; None for one change at a time."""
    steps: Sequence[StudyStep] = ()
    """What arms add to others that are not the baseline."""
    questions: Mapping[str, float | str] = field(default_factory=dict)
    """Settings of the analysis that the command line gave: `margin`, `target`, `guard NAME`."""

    @property
    def factorial(self) -> DesignEffects | None:
        """The effects of a factorial, which are judged in place of its arms; None for other designs."""
        return self.effects if self.effects and self.effects.of_all_arms else None

    @property
    def seeds(self) -> Sequence[int]:
        """Planned seeds; empty for an imported study."""
        return self.plan.seeds

    @property
    def primary(self) -> Metric:
        """The metric that the study is about."""
        return self.plan.primary

    @property
    def pairs(self) -> bool:
        """False if runs with equal seeds do not pair, as an import or a script can say."""
        return self.plan.pairs

    @property
    def stack(self) -> StackContent | None:
        """For a stack: the study that its members come from, and the predicted effect."""
        return self.plan.stack

    @property
    def trained_by_script(self) -> bool:
        """True if a script of the user trained the runs."""
        return not self.imported and self.plan.metric is not None

    @property
    def direction(self) -> Direction:
        """The direction in which the metric improves."""
        return self.metric.direction

    @property
    def is_primary(self) -> bool:
        """True if the metric is the one that the study is about."""
        return self.metric == self.primary

    def arm(self, name: str) -> ArmReport:
        """The arm of this name. Raises KeyError."""
        return {arm.name: arm for arm in self.arms}[name]


def make_report(store: Store, study: StudyRow, questions: Questions = NO_QUESTIONS) -> Report:
    """Judge a study by its runs so far. Raises ValueError for an impossible one of `questions`."""
    history = plan_history(store, study)
    plan = replace(_plan(store, study, questions), looks=history.looks)
    metric, arms = questions.judged_by(plan), store.arms(study.name)
    evidence = _evidence(store, study, metric, asked=questions.metric is not None)
    names, withdrawn = [arm.name for arm in arms], history.questions_withdrawn
    is_planned, is_test_loss = metric == plan.primary, metric == PRIMARY
    rules = analysis_plan(names, plan, withdrawn, metric)
    judged = _judge(evidence, rules, is_primary=is_planned)
    judgement = with_stopped(judged, evidence, is_primary=is_planned)
    guards = _guards(find_guards(store, study.name, plan, names, withdrawn), questions)
    chunk_effects = _chunk_effects(store, study.name, evidence, plan) if is_test_loss else NO_CHUNKS
    settling = find_settling(store, study, judgement.arms, evidence)
    made = _arm_reports(judgement, arms, evidence, chunk_effects, plan)
    return Report(
        study=study.name,
        plan_hash=study.plan_hash,
        history=history,
        analysis=plan.analysis,
        judgement=judgement,
        arms=[replace(arm, settling=settling.get(arm.name)) for arm in made],
        family_growth=find_family_growth(store, study, evidence, judged) if is_planned else None,
        references=_references(store, study, judgement.arms[0].mean) if is_test_loss else [],
        evidence=evidence,
        facts=find_run_facts(evidence, plan, metric),
        chunk_effects=chunk_effects,
        plan=plan,
        path=study.path,
        metric=metric,
        guards=guards,
        noise_on_record=_cited(store, plan, names[0]) if is_planned else None,
        imported=bool(study.imported),
        effects=find_effects(plan, arms, evidence, metric),
        steps=find_steps(plan, arms, evidence, metric),
        questions=questions.asked,
    )


def _plan(store: Store, study: StudyRow, questions: Questions) -> PlanContent:
    """The plan with these questions."""
    plan = with_eval_metrics(store, store.plan(study))
    return replace(plan, analysis=questions.added_to(plan))


def _evidence(store: Store, study: StudyRow, metric: Metric, *, asked: bool) -> Evidence:
    """The runs with their values of a metric.

    Raises ResultsError if no run has it although the command line asked for it.
    """
    found = read_evidence(store, study.name, metric.name)
    _check_recorded(metric, lacks=asked and found.lacks_metric)
    return found


def _guards(guards: Sequence[Guard], questions: Questions) -> Sequence[Guard]:
    """The guards. Raises ResultsError if no run has the metric of one that was asked for."""
    for guard in guards:
        asked = guard.metric.name in questions.guards
        _check_recorded(guard.metric, lacks=asked and guard.lacks_metric)
    return guards


def _check_recorded(metric: Metric, *, lacks: bool) -> None:
    if lacks:
        raise ResultsError(f"no run has the metric {metric.name}: it was not recorded")


def _judge(evidence: Evidence, plan: Plan, *, is_primary: bool) -> Judgement:
    from analysis.verdict import judge

    return judge(evidence.judged_runs, plan, is_primary=is_primary)


def _cited(store: Store, plan: PlanContent, baseline: str) -> CitedNoise | None:
    """The noise on record of the baseline."""
    found = [planned.run for planned in store.study_runs(plan.study, baseline)]
    return cited_noise(store, plan.study, stored_setting(plan, found))


def _chunk_effects(store: Store, study: str, evidence: Evidence, plan: PlanContent) -> ChunkEffects:
    """The uncertainty from the test text; it is left out for many runs."""
    if len(evidence.frame) > MAX_RUNS:
        return NO_CHUNKS
    baseline, *_ = store.arms(study)
    return read_chunk_effects(store, study, baseline.name, plan.analysis.alpha)


def _arm_reports(
    judgement: Judgement,
    arms: Sequence[ArmRow],
    evidence: Evidence,
    chunk_effects: ChunkEffects,
    plan: PlanContent,
) -> list[ArmReport]:
    from analysis.cost import seconds_to_settle

    per_run, stopped = evidence.seconds_per_run, find_stopped(plan, evidence)
    return [
        ArmReport(
            interventions=list(arm.interventions),
            result=result,
            text=chunk_effects.text_dependence(result, plan.analysis.smallest_effect),
            seconds_to_settle=seconds_to_settle(
                result.seeds_to_settle, arm.name, arms[0].name, per_run
            ),
            seconds=evidence.seconds_spent.get(arm.name),
            stopped=stopped.get(arm.name),
        )
        for arm, result in zip(arms, judgement.arms, strict=True)
    ]


def _references(store: Store, study: StudyRow, baseline_mean: float | None) -> list[Reference]:
    return [
        Reference(
            model=row,
            effect=None if baseline_mean is None else row.test_loss - baseline_mean,
        )
        for row in study_references(store, study)
    ]
