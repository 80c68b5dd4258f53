"""From a plan to the jobs that answer it: recipes meet the corpora that they read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sweep.design import Arm, Plan
from sweep.errors import ExecutionError, StudyError
from sweep.queue import Job
from trainer.corpus import Corpus, load_corpus, save_corpus
from trainer.errors import CorpusError
from trainer.recipe import METRIC_VERSION, DataConfig, Recipe


@dataclass(frozen=True)
class Workload:
    """A plan with its corpora: every arm and seed has a job."""

    plan: Plan
    corpora: dict[tuple[str, str], Corpus]
    """By corpus and tokenizer."""

    def corpus(self, data: DataConfig) -> Corpus:
        """The corpus that a recipe's data section names."""
        return self.corpora[data.corpus, data.tokenizer]

    def job(self, arm: Arm, recipe: Recipe) -> Job:
        """The job of an arm's recipe."""
        corpus_hash = self.corpus(recipe.data).info.hash
        identity = f"{arm.identity}/{corpus_hash}/{METRIC_VERSION}"
        family = hashlib.sha256(identity.encode()).hexdigest()
        return Job(recipe.fingerprint(corpus_hash), recipe, corpus_hash, family)

    def jobs(self) -> dict[tuple[str, int], Job]:
        """Jobs by arm and seed: all arms with the first seed, then with the second, ...

        In that order a study that is cut short has told about every arm.
        """
        return {
            (arm.name, seed): self.job(arm, arm.recipes[seed])
            for seed in self.plan.seeds
            for arm in self.plan.arms
        }

    def save_corpora(self, cache: Path) -> None:
        """Write the token files that are not in the cache yet. Raises ExecutionError."""
        for corpus in self.corpora.values():
            try:
                save_corpus(corpus, cache)
            except OSError as error:
                raise ExecutionError(
                    f"{cache} cannot be written ({error.strerror}); free some space, or choose "
                    "another folder with --runs DIR"
                ) from error


def make_workload(plan: Plan, cache: Path) -> Workload:
    """Find or encode the corpora of a plan and check that they are large enough; writes nothing.

    Raises StudyError when an arm asks for more text than there is, CorpusError when there is none.
    """
    corpora: dict[tuple[str, str], Corpus] = {}
    for arm in plan.arms:
        data = arm.recipe.data
        key = (data.corpus, data.tokenizer)
        if key not in corpora:
            corpora[key] = load_corpus(data, cache)
        try:
            corpora[key].check_fits(arm.recipe)
        except CorpusError as error:
            raise StudyError(f"{plan.source}: arm {arm.name!r}: {error}") from error
    return Workload(plan, corpora)
