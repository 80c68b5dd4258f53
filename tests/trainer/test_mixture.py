"""`data.mixture`: training text from several corpora by share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import trainer.training.batches
from tests.trainer.texts import prepare
from trainer.corpora.corpus import Corpus, Part, find_corpus, save_corpus
from trainer.corpora.mixture import mix, mixture_words, save_mixture
from trainer.errors import CorpusError, RunDirectoryError
from trainer.execution import Execution
from trainer.processes.inputs import find_run_corpus
from trainer.recipe import DataConfig, Recipe
from trainer.rundir.directory import RunDirectory
from trainer.rundir.request import Request
from trainer.tokens import TOKENIZER_FILE
from trainer.training.batches import Batches
from trainer.training.mixing import BLOCK, Dealer
from trainer.training.trainer import Trainer
from trainer.training.world import Place, World

MakeRecipe = Callable[..., Recipe]

CONTEXT = 16
SHARES = [(0.7, 0.3), (0.001, 0.999), (1 / 3, 1 / 3, 1 / 3), (0.5, 0.3, 0.199, 0.001)]


@pytest.mark.parametrize("shares", SHARES, ids=str)
@pytest.mark.parametrize("sequences", [1, 5, BLOCK, 3 * BLOCK - 1, 10_000])
def test_every_share_is_exact_to_one_sequence_and_none_is_counted_twice(
    shares: tuple[float, ...], sequences: int
) -> None:
    corpora, before = Dealer(shares, sequences, seed=1).deal(0, sequences)
    for number, share in enumerate(shares):
        here = corpora == number
        assert before[here].tolist() == list(range(here.sum()))
        for end in (*range(BLOCK, sequences - BLOCK + 1, BLOCK), sequences):
            assert abs(here[:end].sum() - share * end) <= 1


def test_corpora_are_dealt_out_at_random_and_the_seed_decides() -> None:
    one, again, other = (Dealer((0.5, 0.5), 4096, seed).deal(0, 4096)[0] for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert 0.4 < (one == other).mean() < 0.6
    assert 0.4 < (one[1:] == one[:-1]).mean() < 0.6


def numbered(corpus: Corpus, digit: str, sequences: int) -> Corpus:
    """A corpus whose sequences begin with `digit` and their number."""
    text = np.zeros((sequences, CONTEXT), dtype=np.uint16)
    text[:, 0] = ord(digit)
    text[:, 1], text[:, 2] = np.divmod(np.arange(sequences), 256)
    train = np.append(text, np.uint16(0))
    info = replace(corpus.info, corpus=digit, hash=digit * 64, train_tokens=len(train))
    return Corpus(info, train, corpus.test, corpus.byte_lengths)


def sequences_read(batches: Batches, steps: int) -> list[tuple[int, ...]]:
    """The first three tokens of every sequence: its corpus and its number."""
    inputs = torch.cat([batches.read(step)[0] for step in range(steps)])
    return [tuple(row) for row in inputs[:, :3].tolist()]


@pytest.fixture
def two(corpus: Corpus) -> tuple[Corpus, Corpus]:
    return numbered(corpus, "a", 5_000), numbered(corpus, "b", 6_000)


@pytest.fixture
def recipe(make_recipe: MakeRecipe) -> Recipe:
    """Five hundred steps of eight sequences."""
    return make_recipe({"train.tokens": CONTEXT * 8 * 500})


def read_with(recipe: Recipe, two: tuple[Corpus, Corpus], share: float) -> list[tuple[int, ...]]:
    one, other = two
    mixed = mix(one, [(one, share), (other, 1 - share)])
    return sequences_read(Batches(recipe, mixed.train, mixed.parts), recipe.steps)


def test_another_share_moves_as_few_sequences_as_it_can(
    recipe: Recipe, two: tuple[Corpus, Corpus]
) -> None:
    read = {share: read_with(recipe, two, share) for share in (0.7, 0.71, 0.9)}
    for one, other in pairwise(sorted(read)):
        pairs = list(zip(read[one], read[other], strict=True))
        moved = [(mine[0], theirs[0]) for mine, theirs in pairs if mine != theirs]
        assert len(moved) == pytest.approx(4_000 * (other - one), abs=2)
        assert set(moved) == {(ord("b"), ord("a"))}
    plain = sequences_read(Batches(recipe, two[0].train), recipe.steps)
    from_one = [(mine, each) for mine, each in zip(read[0.7], plain, strict=True) if mine[0] == 97]
    assert all(mine == each for mine, each in from_one)
    assert len(set(read[0.7])) == len(read[0.7]), "nothing is read twice"


def test_a_small_corpus_is_read_evenly(corpus: Corpus, recipe: Recipe) -> None:
    small, large = numbered(corpus, "a", 100), numbered(corpus, "b", 6_000)
    read = read_with(recipe, (small, large), 0.3)
    counts = {each: read.count(each) for each in set(read) if each[0] == ord("a")}
    assert set(counts.values()) == {12}
    assert len(counts) == 100


def test_all_text_from_the_corpus_that_is_tested_on_is_that_corpus(
    corpus: Corpus, two: tuple[Corpus, Corpus]
) -> None:
    assert mix(corpus, [(corpus, 1.0)]) is corpus
    assert mix(corpus, [(corpus, 0.4), (corpus, 0.6)]) is corpus
    one, other = two
    hashes = {
        mix(tested, [(one, share), (other, 1 - share)]).info.hash
        for tested in two
        for share in (0.7, 0.3)
    }
    assert len(hashes | {mix(one, [(other, 1.0)]).info.hash, one.info.hash, other.info.hash}) == 7


def test_batches_are_the_same_in_parts_and_from_memory_maps_that_are_read_ahead(
    recipe: Recipe, two: tuple[Corpus, Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = mix(two[0], [(two[0], 0.4), (two[1], 0.6)])
    whole = Batches(recipe, mixed.train, mixed.parts)
    for each in two:
        save_corpus(each, tmp_path)
    save_mixture(mixed, tmp_path)
    monkeypatch.setattr(trainer.training.batches, "MADVISE_MIN_BYTES", 0)
    found = find_corpus("bytes", mixed.info.hash, tmp_path)
    assert found
    assert found.info == mixed.info
    mapped = Batches(recipe, found.train, found.parts)
    for step in (0, 7, recipe.steps - 1):
        inputs, targets = whole.read(step)
        assert torch.equal(inputs[3:5], mapped.read(step, slice(3, 5))[0])
        assert torch.equal(targets, mapped.read(step)[1])


@pytest.mark.parametrize("own", [b"the file", None])
def test_a_mixture_has_the_tokenizer_file_of_the_corpus_that_it_is_tested_on(
    own: bytes | None, two: tuple[Corpus, Corpus], tmp_path: Path
) -> None:
    one, other = replace(two[0], tokenizer=own), replace(two[1], tokenizer=b"of the other corpus")
    info = replace(one.info, tokenizer="bpe-512")
    for each in (one, other, replace(one, info=info, tokenizer=b"of the same text in bpe-512")):
        save_corpus(each, tmp_path)
    mixed = mix(one, [(one, 0.4), (other, 0.6)])
    save_mixture(mixed, tmp_path)
    found = tmp_path / mixed.info.folder / TOKENIZER_FILE
    assert (found.read_bytes() if found.exists() else None) == own


def test_a_continued_run_and_two_processes_read_the_same_mixture(
    corpus: Corpus, make_recipe: MakeRecipe
) -> None:
    half = len(corpus.train) // 2
    one, other = (
        replace(corpus, train=text, info=replace(corpus.info, hash=digit * 64))
        for digit, text in (("a", corpus.train[:half]), ("b", corpus.train[half:]))
    )
    mixed, recipe = mix(one, [(one, 0.5), (other, 0.5)]), make_recipe({"model.dropout": 0.2})
    place = Place(torch.device("cpu"), Execution(micro_batch=8))
    through = Trainer(recipe, mixed, place)
    through.step(0)
    continued = Trainer(recipe, mixed, place)
    continued.load_state({key: tensor.clone() for key, tensor in through.state().items()})
    assert torch.equal(through.step(1).loss, continued.step(1).loss)
    assert torch.equal(through.parameters.values, continued.parameters.values)
    ranks = [Trainer(recipe, mixed, replace(place, world=World(rank, 2))) for rank in range(2)]
    alone = Trainer(recipe, mixed, place)
    loss = alone.gradients(1, alone.sequences_of(1))
    parts = [rank.gradients(1, rank.sequences_of(1)) for rank in ranks]
    assert float(sum(parts)) == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"mixture": {"a": 0.7, "b": 0.2}},
            "the shares of a mixture add up to 1, and these to 0.9",
        ),
        ({"mixture": {}}, "add up to 1, and these to 0"),
        ({"mixture": {"a": 1.5, "b": -0.5}}, "the share of 'b' is -0.5; a share is at least 0.001"),
        ({"mixture": {"a": 1.0, "b": 0}}, "the share of 'b' is 0; a share is at least 0.001"),
        ({"mixture": {"a": True}}, "the share of 'a' is True, which is not a number"),
        ({"mixture": {"a": float("nan")}}, "the share of 'a' is nan"),
        ({"mixture": {"a": 10**400}}, "add up to 1, and these to inf"),
        ({"mixture": {"a": -(10**400)}}, "the share of 'a' is -inf"),
        ({"mixture": {"a": 0.500001, "b": 0.500001}}, "add up to 1, and these to 1.000002"),
        (
            {"mixture": {"a": 1.0}, "tokenizer": "bpe-512"},
            "'bpe-512' is made from one corpus, and a mixture needs one tokenizer for all: use bytes",
        ),
    ],
    ids=str,
)
def test_wrong_shares_are_refused_in_a_sentence(data: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate(data)


def test_a_mixture_is_a_table_in_every_form_of_a_recipe(make_recipe: MakeRecipe) -> None:
    mixed = make_recipe({"data.mixture": {"b": 0.25, "a": 0.75}})
    assert mixed.model_dump()["data"]["mixture"] == {"a": 0.75, "b": 0.25}
    assert '"mixture":{"a":0.75,"b":0.25}' in mixed.canonical()
    assert Recipe.model_validate_json(mixed.model_dump_json()) == mixed
    assert hash(mixed.data)
    assert make_recipe({"data.mixture": "none"}) == make_recipe()
    assert mixed.fingerprint("c" * 64) == make_recipe().fingerprint("c" * 64), "the hash has it"


def test_a_run_prepares_the_corpora_of_its_mixture_and_refuses_others(
    tmp_path: Path, make_recipe: MakeRecipe
) -> None:
    for name in ("a", "b"):
        words = " ".join(f"{name} sentence {number}." for number in range(400))
        (tmp_path / f"{name}.txt").write_text(words)
    one, other = (str(tmp_path / name) for name in ("a.txt", "b.txt"))
    recipe = make_recipe({"data.corpus": one, "data.mixture": {one: 0.25, other: 0.75}})
    apart = [prepare(Path(name), tmp_path / "elsewhere") for name in (one, other)]
    expected = mix(apart[0], list(zip(apart, (0.25, 0.75), strict=True))).info
    run = RunDirectory(tmp_path / "run")
    request = Request(recipe=recipe, corpus_hash=expected.hash, cache="../cache")
    run.write_request(request)
    made = find_run_corpus(run, request)
    assert made.info == expected
    assert sorted(part.share for part in made.parts) == [0.25, 0.75]
    assert "25% " in mixture_words(made, recipe)
    assert find_run_corpus(run, request).info == expected, "found again"
    with pytest.raises(RunDirectoryError, match="is meant for the"):
        find_run_corpus(run, request.model_copy(update={"corpus_hash": "0" * 64}))
    (gone,) = (tmp_path / "cache").glob(f"*-{apart[1].info.hash[:16]}/corpus.json")
    gone.rename(gone.parent.parent / "corpus.json")
    (tmp_path / "cache" / gone.parent.name).rename(tmp_path / "moved")
    with pytest.raises(CorpusError, match=r"is a mixture, and its corpus .* is not beside it"):
        find_run_corpus(run, request)


def test_each_corpus_of_a_mixture_needs_enough_text(corpus: Corpus, recipe: Recipe) -> None:
    short = replace(corpus, train=corpus.train[:9], info=replace(corpus.info, corpus="short"))
    mixed = replace(corpus, parts=(Part(corpus, 0.5), Part(short, 0.5)))
    with pytest.raises(CorpusError, match="is longer than the short corpus in bytes tokens"):
        mixed.check_fits(recipe)
