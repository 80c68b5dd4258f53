"""From the store to verdicts: what `sweep report` says, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sweep.history.changes import flat_recipe
from sweep.history.history import PlanHistory, plan_history
from sweep.noise.records import cited, stored_circumstances
from sweep.store.plan_content import AnalysisSettings, PlanContent, StackContent
from sweep.store.rows import PlannedRun, ReferenceRow, StudyRow
from sweep.store.store import Store
from sweep.verdicts.confounders import Asked, Confounder, find_confounders
from sweep.verdicts.evidence import Evidence, read_evidence
from sweep.verdicts.references import study_references
from sweep.verdicts.reproducible import reproducible
from sweep.verdicts.test_text import MOST_RUNS, TestedText, read_tested_text

if TYPE_CHECKING:
    import pandas as pd

    from analysis.rules import Plan
    from analysis.verdict import Judgement

COLUMNS = ("arm", "seed", "init_seed", "order_seed", "dropout_seed", "loss", "status")


@dataclass(frozen=True)
class Report:
    """The verdicts on a study, with all that a reader needs to weigh them."""

    study: str
    plan_hash: str
    history: PlanHistory
    analysis: AnalysisSettings
    judgement: Judgement
    interventions: Mapping[str, list[str]]
    """By arm."""
    evidence: Evidence
    confounders: Sequence[Confounder]
    overrides: Mapping[str, Any]
    """Baseline fields that the command line set when the plan was made."""
    metric: str | None
    """What an imported study's file calls its losses; None for the test loss of runs made here."""
    noise_on_record: Mapping[str, Any] | None
    """What `sweep noise` found for this baseline, with a warning where it no longer holds."""
    imported: bool
    """Whether the results are from elsewhere."""
    stack: StackContent | None = None
    """Of a stack: which study it is of and what it promises (`sweep.verdicts.stack_choice.Choice.content`)."""
    tested_text: TestedText = field(default_factory=TestedText)
    references: Sequence[ReferenceRow] = ()
    """Models that are no arm, on the same test text (see `sweep.verdicts.references`)."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; None where a field does not apply."""
        noise = self.judgement.noise
        return {
            "study": self.study,
            "plan_hash": self.plan_hash,
            "plan": self.history.as_dict(),
            "alpha": self.analysis.alpha,
            "correction": self.analysis.correction,
            "family": self.judgement.family,
            "smallest_effect": self.analysis.smallest_effect,
            "overrides": dict(self.overrides),
            "noise": None if noise is None else asdict(noise),
            "noise_on_record": self.noise_on_record,
            "stack": self.stack.json if self.stack else None,
            "reproducible": asdict(reproducible(self.evidence)),
            "confounders": [asdict(each) for each in self.confounders],
            "arms": [self._arm(asdict(arm)) for arm in self.judgement.arms],
            "references": [self._reference(row) for row in self.references],
        }

    def _arm(self, verdict: dict[str, Any]) -> dict[str, Any]:
        from analysis.cost import seconds_to_settle

        text = self.tested_text.of_arm(verdict, self.analysis.smallest_effect)
        name, evidence = verdict.pop("arm"), self.evidence
        baseline = self.judgement.arms[0].arm
        seeds = verdict["seeds_to_settle"]
        return {
            "arm": name,
            "interventions": self.interventions[name],
            **verdict,
            **text,
            "seconds_to_settle": seconds_to_settle(seeds, name, baseline, evidence.seconds_per_run),
            "seconds": evidence.seconds_spent.get(name),
        }

    def _reference(self, row: ReferenceRow) -> dict[str, Any]:
        mean = self.judgement.arms[0].mean
        told = {k: v for k, v in vars(row).items() if k not in {"study", "test_text", "provenance"}}
        return {**told, "difference": None if mean is None else row.test_loss - mean}


def table_rows(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table: the arms and, below them, the references, which no test was made of."""
    arms: list[dict[str, Any]] = content["arms"]
    return [
        *arms,
        *(
            {
                **dict.fromkeys(arms[0]),
                "arm": each["name"],
                "mean": each["test_loss"],
                "effect": each["difference"],
                "verdict": "reference",
            }
            for each in content["references"]
        ),
    ]


def make_report(store: Store, study: StudyRow) -> Report:
    """Judge a study by what the store has of it so far."""
    from analysis.verdict import judge

    name = study.name
    rows = store.arms(name)
    evidence = read_evidence(store, name)
    history = plan_history(store, study)
    plan = store.plan(study)
    settings = plan.analysis
    judgement = judge(
        evidence.frame[["arm", "seed", "loss", "status"]],
        analysis_plan([row.name for row in rows], settings, history.questions_withdrawn),
    )
    first, few = rows[0].name, len(evidence.frame) <= MOST_RUNS
    baseline = [planned.run for planned in store.study_runs(name, first)]
    return Report(
        study=name,
        plan_hash=study.plan_hash,
        history=history,
        analysis=settings,
        judgement=judgement,
        interventions={row.name: list(row.interventions) for row in rows},
        evidence=evidence,
        confounders=find_confounders(evidence, _asked(plan)),
        overrides=plan.overrides,
        noise_on_record=cited(store, name, stored_circumstances(plan, baseline)),
        metric=plan.metric,
        imported=bool(study.imported),
        stack=plan.stack,
        tested_text=(read_tested_text(store, name, first, settings.alpha) if few else TestedText()),
        references=study_references(store, study),
    )


def _asked(plan: PlanContent) -> dict[str, Asked]:
    """What the recipes of a plan ask for; nothing of an imported study, which has none."""
    recipes = {} if plan.imported else plan.arms
    return {name: _asked_by(flat_recipe(recipe)) for name, recipe in recipes.items()}


def _asked_by(recipe: Mapping[str, Any]) -> Asked:
    step = recipe["train.batch_size"] * recipe["model.context"]
    tokens = recipe["train.tokens"] // step * step
    return Asked(tokens=tokens, precision=recipe["train.precision"])


def analysis_plan(arms: Sequence[str], settings: AnalysisSettings, withdrawn: int = 0) -> Plan:
    """The part of a plan that the analysis needs.

    `arms` begins with the baseline, as `Store.arms` does; `withdrawn` counts those that are gone.
    """
    from analysis.rules import Plan

    baseline, *others = arms
    return Plan(
        arms=tuple(others),
        baseline=baseline,
        alpha=settings.alpha,
        correction=settings.correction,
        smallest_effect=settings.smallest_effect,
        withdrawn=withdrawn,
    )


def runs_frame(runs: Sequence[PlannedRun]) -> pd.DataFrame:
    """A row per arm and seed, with `COLUMNS` and what was recorded of the run."""
    import pandas as pd

    renamed = {"test_loss": "loss", "state": "status", "id": "run"}
    frame = pd.DataFrame(
        [{"arm": each.arm, "seed": each.seed, **vars(each.run)} for each in runs]
    ).rename(columns=renamed)
    first = [column for column in COLUMNS if column in frame]
    frame["loss"] = frame["loss"].astype(float)
    return frame[first + [column for column in frame if column not in first]]
