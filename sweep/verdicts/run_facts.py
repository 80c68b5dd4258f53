"""Facts about the runs of a study that help to interpret its verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.evals.eval_files import EVALS_PREFIX
from sweep.metrics.metric import Metric
from sweep.metrics.registry import SCORES
from sweep.store.plan_content import PlanContent
from sweep.trainers.stored_recipes import (
    FlatRecipe,
    flat_recipe,
    is_script,
    planned_tokens,
    test_text_settings,
)
from sweep.verdicts.confounders import Confounder, Requested, find_confounders
from sweep.verdicts.equal_losses import EqualLosses, find_equal_losses
from sweep.verdicts.evidence import Evidence
from sweep.verdicts.mixed_attempts import MixedRun, find_mixed
from sweep.verdicts.reproducible import Reproducible, count_reproducible


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What differs between runs that should not, and what is equal that should not be."""

    confounders: Sequence[Confounder]
    equal_losses: Sequence[EqualLosses]
    """Distinct seeds of an arm with bit-identical losses."""
    mixed_attempts: Sequence[MixedRun]
    """Runs that attempts in different circumstances trained."""
    reproducible: Reproducible


def find_run_facts(evidence: Evidence, plan: PlanContent, metric: Metric) -> RunFacts:
    """The facts about all runs that the store has so far, with the metric that is judged.

    A judge may well give two runs the same score: that says nothing, as equal losses do.
    """
    return RunFacts(
        confounders=find_confounders(evidence, _requested(plan)),
        equal_losses=() if _may_be_equal(metric) else find_equal_losses(evidence.frame),
        mixed_attempts=find_mixed(evidence),
        reproducible=count_reproducible(evidence),
    )


def _may_be_equal(metric: Metric) -> bool:
    """True for shares of a few items, which are often equal in runs with distinct seeds."""
    return metric.name in SCORES or metric.name.startswith(EVALS_PREFIX)


def _requested(plan: PlanContent) -> dict[str, Requested]:
    """The settings that recipes ask for, by arm; empty for an imported study without recipes."""
    recipes = {} if plan.imported else plan.arms
    return {
        name: Requested() if is_script(recipe) else _requested_by(flat_recipe(recipe))
        for name, recipe in recipes.items()
    }


def _requested_by(recipe: FlatRecipe) -> Requested:
    return Requested(
        tokens=planned_tokens(recipe),
        precision=recipe["train.precision"],
        test_text=test_text_settings(recipe),
    )
