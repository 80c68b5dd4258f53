"""Mixtures: training text from several corpora by share, tested on the text of one."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.corpora.cache_folders import corpus_folders, new_folder
from trainer.corpora.corpus import Corpus, CorpusInfo, MixturePart, Part
from trainer.files import write_json
from trainer.recipe import DataConfig, Recipe
from trainer.tokens import TOKENIZER_FILE


def joined_shares(parts: Sequence[tuple[str, float]]) -> dict[str, float]:
    """The share of each corpus by its hash, in the order of the hashes.

    Corpora of the same content under two names are one.
    """
    shares = dict.fromkeys(sorted(hashed for hashed, _ in parts), 0.0)
    for hashed, share in parts:
        shares[hashed] += share
    return shares


def mixture_hash(tested_on: str, shares: Mapping[str, float]) -> str:
    """SHA-256 of what is trained and tested on, by the hashes of the corpora.

    All training text from the corpus that is tested on is that corpus.
    """
    if set(shares) == {tested_on}:
        return tested_on
    identity = json.dumps({"tested on": tested_on, "shares": dict(sorted(shares.items()))})
    return hashlib.sha256(identity.encode()).hexdigest()


def mix(tested_on: Corpus, parts: Sequence[tuple[Corpus, float]]) -> Corpus:
    """The mixture of some corpora, tested on the text of `tested_on`."""
    shares = joined_shares([(corpus.info.hash, share) for corpus, share in parts])
    hashed = mixture_hash(tested_on.info.hash, shares)
    if hashed == tested_on.info.hash:
        return tested_on
    by_hash = {corpus.info.hash: corpus for corpus, _ in parts}
    mixed = tuple(Part(by_hash[each], share) for each, share in shares.items())
    info = _describe(tested_on.info, mixed, hashed)
    train, test = tested_on.train[:0], tested_on.test
    return Corpus(info, train, test, tested_on.byte_lengths, tested_on.tokenizer, mixed)


def _describe(tested_on: CorpusInfo, parts: Sequence[Part], hashed: str) -> CorpusInfo:
    of_parts = [part.corpus.info for part in parts]
    return CorpusInfo(
        corpus=" + ".join(f"{part.share:g} {part.corpus.info.corpus}" for part in parts),
        tokenizer=tested_on.tokenizer,
        hash=hashed,
        documents=sum(info.documents for info in of_parts),
        train_tokens=sum(info.train_tokens for info in of_parts),
        test_tokens=tested_on.test_tokens,
        split=tested_on.split,
        one_text=False,
        mixture=tuple(
            MixturePart(part.corpus.info.corpus, part.corpus.info.hash, part.share)
            for part in parts
        ),
        tested_on=tested_on.hash,
    )


def shares_by_data(data: DataConfig) -> list[tuple[DataConfig, float]]:
    """The corpora of a mixture as data sections of their own, each with its share.

    `subset` and `revision` name a version of `data.corpus`, so that other corpora do not have them.
    """
    own = data.model_copy(update={"mixture": None})
    other = own.model_copy(update={"subset": None, "revision": None})
    return [
        (own if name == data.corpus else other.model_copy(update={"corpus": name}), share)
        for name, share in data.mixture or ((data.corpus, 1.0),)
    ]


def mixture_words(corpus: Corpus, recipe: Recipe) -> str:
    """What a run draws from a mixture: `trains on 70% a (0.12 epochs) and 30% b (1.3 epochs)`."""
    sequences = recipe.sequences_until(recipe.steps)
    words = [
        f"{100 * part.share:.4g}% {part.corpus.info.corpus} "
        f"({part.share * sequences * recipe.model.context / max(1, len(part.corpus.train)):.2g} epochs)"
        for part in corpus.parts
    ]
    return (
        f"Mixture: {', '.join(words)}; tested on the text of {recipe.data.corpus}, hash "
        f"{corpus.info.hash[:16]}"
    )


def folders_of(tokenizer: str, hashed: str, cache: Path) -> list[Path]:
    """The folders of a corpus in the cache, those that a mixture reads first; empty without it."""
    own = corpus_folders(tokenizer, hashed, cache)[:1]
    infos = [CorpusInfo.parse((folder / "corpus.json").read_bytes()) for folder in own]
    needs = sorted(each for info in infos for each in info.needs)
    read = [corpus_folders(tokenizer, each, cache)[:1] for each in needs]
    return [folder for folders in (*read, own) for folder in folders]


def save_mixture(corpus: Corpus, cache: Path) -> None:
    """Write the description of a mixture beside its corpora, whole or not at all, unless it exists."""
    final = cache / corpus.info.folder
    if final.exists() or not corpus.parts:
        return
    with new_folder(final) as aside:
        for folder in corpus_folders(corpus.info.tokenizer, corpus.info.tested_on, cache):
            if (folder / TOKENIZER_FILE).exists():
                shutil.copyfile(folder / TOKENIZER_FILE, aside / TOKENIZER_FILE)
        write_json(aside / "corpus.json", corpus.info.as_json())
