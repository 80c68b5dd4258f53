"""From a plan to the jobs that answer it: recipes meet the corpora that they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.design.plan import Arm, Plan
from sweep.errors import ExecutionError, StudyError
from sweep.trainers.builtin import GptRun, InitialWeights
from sweep.workload.job import Job
from trainer.corpora.corpus import Corpus, find_corpus, save_corpus
from trainer.corpora.prepare import load_small
from trainer.errors import CorpusError, WeightsError
from trainer.recipe import DataConfig, Recipe
from trainer.sources.catalogue import find_source
from trainer.sources.source import Source

if TYPE_CHECKING:
    from trainer.weights.pretrained import Pretrained


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
    cache: Path
    """Where token files are kept."""
    supplies: dict[DataConfig, Supply]
    """By the data section with its order left out, as that changes no tokens."""
    weights: dict[str | None, Pretrained]
    """By what `train.initial_weights` calls them."""

    def supply(self, data: DataConfig) -> Supply:
        """The corpus that a recipe's data section names."""
        return self.supplies[_key(data)]

    def corpora(self) -> list[Corpus]:
        """Those that are at hand."""
        return [supply.corpus for supply in self.supplies.values() if supply.corpus]

    def job(self, arm: Arm, recipe: Recipe) -> Job:
        """The job of an arm's recipe."""
        return self._jobs(arm, [recipe])[0]

    def _jobs(self, arm: Arm, recipes: Iterable[Recipe]) -> list[Job]:
        """Those of an arm's recipes, which differ by their seeds alone."""
        corpus_hash = self.supply(arm.recipe.data).hash
        weights = self._initial_weights(arm.recipe)
        weights_hash = weights and weights.hash
        family = arm.recipe.family(corpus_hash, weights_hash)
        return [
            Job(
                run_id=recipe.fingerprint(corpus_hash, weights_hash),
                family=family,
                corpus_hash=corpus_hash,
                spec=GptRun(recipe, weights),
            )
            for recipe in recipes
        ]

    def _initial_weights(self, recipe: Recipe) -> InitialWeights | None:
        found = self.weights.get(recipe.train.initial_weights)
        return InitialWeights(str(found.folder), found.hash) if found else None

    def jobs(self) -> dict[tuple[str, int], Job]:
        """Jobs by arm and seed: all arms with the first seed, then with the second, ...

        In that order a study that is cut short has told about every arm.
        """
        arms, seeds = self.plan.arms, self.plan.seeds
        of_arms = [self._jobs(arm, [arm.recipes[seed] for seed in seeds]) for arm in arms]
        return {
            (arm.name, seed): of_arm[number]
            for number, seed in enumerate(seeds)
            for arm, of_arm in zip(arms, of_arms, strict=True)
        }

    def check(self) -> None:
        """Raise StudyError where an arm does not fit its corpus or its weights, as far as is known.

        Also where two arms turn out to be one, because their inputs hold the same.
        """
        seen: dict[str, str] = {}
        for arm in self.plan.arms:
            where = f"{self.plan.source}: arm {arm.name!r}"
            try:
                self._check_arm(arm.recipe)
            except (CorpusError, WeightsError) as error:
                raise StudyError(f"{where}: {error}") from error
            twin = seen.setdefault(self.job(arm, arm.recipe).run_id, arm.name)
            if twin != arm.name:
                raise StudyError(
                    f"{where} is the arm {twin!r} again: what they read or begin with has other "
                    "names and the same content; remove one"
                )

    def _check_arm(self, recipe: Recipe) -> None:
        corpus = self.supply(recipe.data).corpus
        if corpus is not None:
            corpus.check_fits(recipe)
        weights = self.weights.get(recipe.train.initial_weights)
        if weights is not None:
            from trainer.weights.initial import check_tokens

            weights.check_fits(recipe)
            check_tokens(weights, recipe.data.tokenizer, corpus, self.cache)

    def prepare_large(self, make: Callable[[Supply], Corpus]) -> Workload:
        """The same with the corpora prepared that are too large to be encoded in memory.

        Raises StudyError when one does not fit its arms.
        """
        made = {
            key: supply
            if supply.corpus is not None
            else replace(supply, corpus=make(supply), saved=True)
            for key, supply in self.supplies.items()
        }
        workload = replace(self, supplies=made)
        workload.check()
        return workload

    def save_small(self) -> None:
        """Write the token files of the others unless they are there. Raises ExecutionError."""
        for supply in self.supplies.values():
            try:
                if supply.corpus is not None and not supply.saved:
                    save_corpus(supply.corpus, self.cache)
            except OSError as error:
                raise ExecutionError(
                    f"{self.cache} cannot be written ({error.strerror}); free some space, or choose "
                    "another folder with --runs DIR"
                ) from error


def make_workload(plan: Plan, cache: Path, *, online: bool = False) -> Workload:
    """Find the corpora of a plan and check those that are at hand, or small; writes no tokens.

    Raises StudyError when an arm does not fit its corpus or its weights, CorpusError or
    WeightsError when there are none. A dataset on the hub that was never looked up is, when
    `online`.
    """
    supplies: dict[DataConfig, Supply] = {}
    beside = Path(plan.source).parent
    for arm in plan.arms:
        key = _key(arm.recipe.data)
        if key not in supplies:
            supplies[key] = _find(key, cache, find_source(key, cache, beside, online=online))
    workload = Workload(plan, cache, supplies, _find_weights(plan, beside))
    workload.check()
    return workload


def _find(data: DataConfig, cache: Path, source: Source) -> Supply:
    hashed = source.origin().hash
    saved = find_corpus(data.tokenizer, hashed, cache)
    corpus = saved or load_small(data, source)
    return Supply(data, source, hashed, corpus, saved is not None)


def _find_weights(plan: Plan, beside: Path) -> dict[str | None, Pretrained]:
    words = {arm.recipe.train.initial_weights for arm in plan.arms} - {None}
    if not words:
        return {}
    from trainer.weights.initial import find_weights

    return {word: find_weights(str(word), beside) for word in words}


def _key(data: DataConfig) -> DataConfig:
    return data.model_copy(update={"order": "shuffled"})
