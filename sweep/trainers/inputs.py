"""Corpora and initial weights that the built-in trainer's runs read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.errors import ExecutionError
from sweep.trainers.base import RunIdentity, RunSpec
from sweep.trainers.builtin import GptRun, InitialWeights, recipe_of
from sweep.trainers.supply import Supply
from trainer.corpora.corpus import Corpus, find_corpus, save_corpus
from trainer.corpora.mixture import (
    joined_shares,
    mix,
    mixture_hash,
    mixture_words,
    save_mixture,
    shares_by_data,
)
from trainer.corpora.prepare import load_small
from trainer.errors import CorpusError
from trainer.recipe import DataConfig, Recipe, vocabulary_size
from trainer.sources.catalogue import find_source
from trainer.sources.source import Source

if TYPE_CHECKING:
    from trainer.weights.pretrained import Pretrained


@dataclass(frozen=True)
class GptInputs:
    """The inputs of all arms of a plan."""

    cache: Path
    """Folder of token files."""
    by_data: Mapping[DataConfig, Supply]
    """Corpora by data section, without the fields that change no tokens."""
    weights: Mapping[str | None, Pretrained]
    """By the value of `train.initial_weights`."""
    mixtures: Sequence[DataConfig] = ()
    """The data sections that name mixtures."""

    @property
    def supplies(self) -> list[Supply]:
        """The corpora, prepared or not."""
        return list(self.by_data.values())

    def corpus_hash(self, data: DataConfig) -> str:
        """Return the hash of the corpus or the mixture that a data section names."""
        parts = [(self.by_data[_key(each)].hash, share) for each, share in shares_by_data(data)]
        return mixture_hash(self._tested_on(data).hash, joined_shares(parts))

    def corpus(self, data: DataConfig) -> Corpus | None:
        """Return the corpus or the mixture that a data section names; None if it is not prepared."""
        tested_on = self._tested_on(data).corpus
        parts = [(self.by_data[_key(each)].corpus, share) for each, share in shares_by_data(data)]
        there = [(corpus, share) for corpus, share in parts if corpus is not None]
        return mix(tested_on, there) if tested_on and len(there) == len(parts) else None

    def _tested_on(self, data: DataConfig) -> Supply:
        return self.by_data[_key(data)]

    def identify(self, specs: Sequence[RunSpec]) -> list[tuple[RunIdentity, GptRun]]:
        """Return ids and initial weights of runs that differ only in their seeds."""
        recipes = [recipe_of(spec) for spec in specs]
        corpus_hash = self.corpus_hash(recipes[0].data)
        weights = self._initial_weights(recipes[0])
        weights_hash = weights and weights.hash
        family = recipes[0].family(corpus_hash, weights_hash)
        return [
            (
                RunIdentity(
                    run_id=recipe.fingerprint(corpus_hash, weights_hash),
                    family=family,
                    corpus_hash=corpus_hash,
                ),
                GptRun(recipe, weights),
            )
            for recipe in recipes
        ]

    def check(self, spec: RunSpec) -> None:
        """Raise CorpusError or WeightsError if a run does not fit its inputs, as far as is known."""
        recipe = recipe_of(spec)
        corpus = self.corpus(recipe.data)
        if corpus is not None:
            corpus.check_fits(recipe)
        weights = self.weights.get(recipe.train.initial_weights)
        if weights is not None:
            from trainer.weights.initial import check_tokens

            weights.check_fits(recipe)
            check_tokens(weights, recipe.data.tokenizer, corpus, self.cache)

    def notes(self, specs: Iterable[RunSpec]) -> list[str]:
        """What the runs draw from mixtures, and have otherwise than their initial weights, in sentences."""
        found: dict[str, None] = {}
        for recipe in map(recipe_of, specs):
            mixed = self.corpus(recipe.data) if recipe.data.mixture else None
            if mixed and mixed.parts:
                found[mixture_words(mixed, recipe)] = None
            weights = self.weights.get(recipe.train.initial_weights)
            notes = weights.notes(vocabulary_size(recipe.data.tokenizer)) if weights else []
            found |= dict.fromkeys(notes)
        return list(found)

    def prepare_large(self, make: Callable[[Supply], Corpus]) -> GptInputs:
        """Return the same inputs with the large corpora prepared by `make`."""
        made = {
            key: supply
            if supply.corpus is not None
            else replace(supply, corpus=make(supply), saved=True)
            for key, supply in self.by_data.items()
        }
        return replace(self, by_data=made)

    def save_small(self) -> None:
        """Write the token files that are not in the cache yet. Raises ExecutionError."""
        mixed = [corpus for data in self.mixtures if (corpus := self.corpus(data))]
        try:
            for supply in self.supplies:
                if supply.corpus is not None and not supply.saved:
                    save_corpus(supply.corpus, self.cache)
            for corpus in mixed:
                save_mixture(corpus, self.cache)
        except OSError as error:
            raise ExecutionError(
                f"{self.cache} cannot be written ({error.strerror}); free some space, or choose "
                "another folder with --runs DIR"
            ) from error

    def _initial_weights(self, recipe: Recipe) -> InitialWeights | None:
        found = self.weights.get(recipe.train.initial_weights)
        return InitialWeights(str(found.folder), found.hash) if found else None


def find_inputs(
    specs: Iterable[RunSpec],
    cache: Path,
    beside: Path,
    tokenizers: Mapping[str, bytes],
    *,
    online: bool = False,
) -> GptInputs:
    """Find the inputs of some runs; reads small corpora into memory, and writes no tokens.

    `beside` is the folder of the study file, for relative paths. `tokenizers` are those from files,
    by their names. With `online`, a dataset that was
    never looked up on the hub is looked up. Raises CorpusError and WeightsError.
    """
    recipes = [recipe_of(spec) for spec in specs]
    supplies: dict[DataConfig, Supply] = {}
    for recipe in recipes:
        for data in (recipe.data, *(each for each, _ in shares_by_data(recipe.data))):
            key = _key(data)
            if key not in supplies:
                where = "" if data.corpus == recipe.data.corpus else "data.mixture: "
                source = _find_source(key, cache, beside, where, online=online)
                supplies[key] = _find(key, cache, source, tokenizers.get(key.tokenizer))
    mixtures = tuple(dict.fromkeys(recipe.data for recipe in recipes if recipe.data.mixture))
    return GptInputs(cache, supplies, _find_weights(recipes, beside), mixtures)


def _find_source(
    data: DataConfig, cache: Path, beside: Path, where: str, *, online: bool
) -> Source:
    """`find_source`; an error begins with `where`."""
    try:
        return find_source(data, cache, beside, online=online)
    except CorpusError as error:
        if not where or type(error) is not CorpusError:
            raise
        raise CorpusError(f"{where}{error}") from error


def _find(data: DataConfig, cache: Path, source: Source, tokenizer: bytes | None) -> Supply:
    hashed = source.origin().hash
    saved = find_corpus(data.tokenizer, hashed, cache)
    corpus = saved or load_small(data, source, tokenizer)
    return Supply(data, source, hashed, corpus, saved is not None, tokenizer)


def _find_weights(recipes: Iterable[Recipe], beside: Path) -> dict[str | None, Pretrained]:
    names = {recipe.train.initial_weights for recipe in recipes} - {None}
    if not names:
        return {}
    from trainer.weights.initial import find_weights

    return {name: find_weights(str(name), beside) for name in names}


def _key(data: DataConfig) -> DataConfig:
    return data.model_copy(update={"order": "shuffled", "mask_documents": False, "mixture": None})
