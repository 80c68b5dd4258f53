"""The corpus and the initial weights that a run's request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.corpora.corpus import Corpus, find_corpus
from trainer.errors import RunDirectoryError, WeightsError
from trainer.rundir.directory import RunDirectory
from trainer.rundir.request import Request

if TYPE_CHECKING:
    from trainer.weights.pretrained import Pretrained


def find_run_corpus(directory: RunDirectory, request: Request) -> Corpus:
    """The corpus of a run, prepared if it is not in the cache.

    Raises RunDirectoryError if this machine has another corpus than the request asks for, and
    CorpusError if the corpus cannot be read.
    """
    data, cache = request.recipe.data, directory.path / request.cache
    if request.corpus_hash is not None:
        found = find_corpus(data.tokenizer, request.corpus_hash, cache)
        if found is not None:
            return found
    from trainer.corpora.mixture import (
        joined_shares,
        mix,
        mixture_hash,
        save_mixture,
        shares_by_data,
    )
    from trainer.corpora.prepare import prepare_corpus
    from trainer.sources.catalogue import find_source

    tested_on, shares = data.model_copy(update={"mixture": None}), shares_by_data(data)
    read = dict.fromkeys([tested_on, *(each for each, _ in shares)])
    sources = {each: find_source(each, cache, online=True) for each in read}
    hashes = {each: source.origin().hash for each, source in sources.items()}
    parts = [(hashes[each], share) for each, share in shares]
    hashed = mixture_hash(hashes[tested_on], joined_shares(parts))
    if request.corpus_hash not in {None, hashed}:
        raise RunDirectoryError(
            f"{directory.recipe} is meant for the {data.corpus} corpus "
            f"{str(request.corpus_hash)[:16]}, but this machine has {hashed[:16]}"
        )
    made = {each: prepare_corpus(each, source, cache) for each, source in sources.items()}
    corpus = mix(made[tested_on], [(made[each], share) for each, share in shares])
    save_mixture(corpus, cache)
    return corpus


def find_run_weights(
    directory: RunDirectory, request: Request, corpus: Corpus
) -> Pretrained | None:
    """The initial weights of a run; None for random ones.

    Raises WeightsError if they do not fit the recipe, or are not those that the request names.
    """
    if request.recipe.train.initial_weights is None:
        return None
    from trainer.weights.initial import check_tokens, find_weights

    weights = find_weights(request.weights or request.recipe.train.initial_weights)
    weights.check_fits(request.recipe)
    if request.weights_hash is None:  # a study compares the tokens before it writes the hash
        check_tokens(weights, corpus.info.tokenizer, corpus, directory.path / request.cache)
    elif request.weights_hash != weights.hash:
        raise WeightsError(
            f"{directory.recipe} is meant for the initial weights {request.weights_hash[:16]}, but "
            f"{weights.folder} has {weights.hash[:16]} now; put those back, or run the study again"
        )
    return weights
