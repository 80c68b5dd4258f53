"""From a plan to the jobs that answer it: recipes meet the corpora that they read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sweep.design import Arm, Plan
from sweep.errors import ExecutionError, StudyError
from sweep.queue import Job
from trainer.catalogue import find_source
from trainer.corpus import Corpus, find_corpus, save_corpus
from trainer.errors import CorpusError
from trainer.prepare import load_small
from trainer.recipe import METRIC_VERSION, DataConfig, Recipe
from trainer.source import Source


@dataclass(frozen=True)
class Supply:
    """A corpus of a plan: known by its hash before it is prepared."""

    data: DataConfig
    source: Source
    hash: str
    corpus: Corpus | None
    """None for a large one that is not prepared yet."""
    saved: bool
    """Whether it lies in the cache."""


@dataclass(frozen=True)
class Workload:
    """A plan with its corpora: every arm and seed has a job."""

    plan: Plan
    supplies: dict[DataConfig, Supply]
    """By the data section, whose order is of no account here."""

    def supply(self, data: DataConfig) -> Supply:
        """The corpus that a recipe's data section names."""
        return self.supplies[_key(data)]

    def corpora(self) -> list[Corpus]:
        """Those that are at hand."""
        return [supply.corpus for supply in self.supplies.values() if supply.corpus]

    def job(self, arm: Arm, recipe: Recipe) -> Job:
        """The job of an arm's recipe."""
        corpus_hash = self.supply(recipe.data).hash
        fields = {k: v for k, v in arm.recipe.identity().items() if k != "seeds"}
        identity = f"{json.dumps(fields, sort_keys=True)}/{corpus_hash}/{METRIC_VERSION}"
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

    def check(self) -> None:
        """Raise StudyError when an arm asks for more text than there is, as far as is known."""
        for arm in self.plan.arms:
            corpus = self.supply(arm.recipe.data).corpus
            try:
                if corpus is not None:
                    corpus.check_fits(arm.recipe)
            except CorpusError as error:
                raise StudyError(f"{self.plan.source}: arm {arm.name!r}: {error}") from error

    def prepare_large(self, make: Callable[[Supply], Corpus]) -> Workload:
        """The same with the corpora prepared that are too large to be encoded in memory.

        Raises StudyError when one turns out to be too short.
        """
        made = {
            key: supply
            if supply.corpus is not None
            else replace(supply, corpus=make(supply), saved=True)
            for key, supply in self.supplies.items()
        }
        workload = Workload(self.plan, made)
        workload.check()
        return workload

    def save_small(self, cache: Path) -> None:
        """Write the token files of the others unless they are there. Raises ExecutionError."""
        for supply in self.supplies.values():
            try:
                if supply.corpus is not None and not supply.saved:
                    save_corpus(supply.corpus, cache)
            except OSError as error:
                raise ExecutionError(
                    f"{cache} cannot be written ({error.strerror}); free some space, or choose "
                    "another folder with --runs DIR"
                ) from error


def make_workload(plan: Plan, cache: Path, *, online: bool = False) -> Workload:
    """Find the corpora of a plan and check those that are at hand, or small; writes no tokens.

    Raises StudyError when an arm asks for more text than there is, CorpusError when there is
    none. A dataset on the hub that was never looked up is, when `online`.
    """
    supplies: dict[DataConfig, Supply] = {}
    beside = Path(plan.source).parent
    for arm in plan.arms:
        key = _key(arm.recipe.data)
        if key not in supplies:
            supplies[key] = _find(key, cache, find_source(key, cache, beside, online=online))
    workload = Workload(plan, supplies)
    workload.check()
    return workload


def _find(data: DataConfig, cache: Path, source: Source) -> Supply:
    hashed = source.origin().hash
    saved = find_corpus(data.tokenizer, hashed, cache)
    corpus = saved or load_small(data, source)
    return Supply(data, source, hashed, corpus, saved is not None)


def _key(data: DataConfig) -> DataConfig:
    return data.model_copy(update={"order": "shuffled"})
