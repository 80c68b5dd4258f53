from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe
from trainer.tokens import Tokens
from trainer.training.batches import Batches
from trainer.training.permutation import permute


def whole(size: int, key: str) -> list[int]:
    return [int(slot) for slot in permute(np.arange(size, dtype=np.uint64), size, key)]


@pytest.mark.slow
@settings(max_examples=60)
@given(size=st.integers(1, 3_000), key=st.text(max_size=8))
def test_permute_sends_every_range_onto_itself(size: int, key: str) -> None:
    assert sorted(whole(size, key)) == list(range(size))


@settings(max_examples=30)
@given(size=st.integers(100, 3_000), key=st.text(max_size=8))
def test_permute_depends_on_its_key_and_changes_the_order(size: int, key: str) -> None:
    mine, other = whole(size, key), whole(size, key + "!")
    # A random permutation has one fixed point on average; 12 or more come once in 10^9.
    assert sum(a == b for a, b in zip(mine, other, strict=True)) < 12
    assert sum(a == b for a, b in enumerate(mine)) < 12


def test_permute_spreads_neighbours_apart() -> None:
    mixed = np.array(whole(20_000, "key"))
    together = np.corrcoef(mixed[1:], mixed[:-1])[0, 1]
    assert abs(together) < 5 / 20_000**0.5


def test_permuting_ten_billion_needs_almost_no_memory() -> None:
    size = 10_000_000_000
    slots = np.array([0, 1, size // 2, size - 1], dtype=np.uint64)
    tracemalloc.start()
    sent = permute(slots, size, "key")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert len(set(sent.tolist())) == 4
    assert sent.max() < size


def count_sequences(corpus: Corpus, recipe: Recipe) -> int:
    return (len(corpus.train) - 1) // recipe.model.context


def read_in_order(batches: Batches, recipe: Recipe, sequences: int) -> list[int]:
    steps = -(-sequences // recipe.train.batch_size)
    return [int(index) for step in range(steps) for index in batches.sequences(step)][:sequences]


def test_an_epoch_reads_every_sequence_exactly_once(corpus: Corpus, recipe: Recipe) -> None:
    sequences = count_sequences(corpus, recipe)
    read = read_in_order(Batches(recipe, corpus.train), recipe, sequences)
    assert sorted(read) == list(range(sequences))
    assert read != sorted(read)


def test_a_batch_may_span_two_epochs_and_each_is_shuffled_anew(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe({"train.batch_size": 7})
    tokens = corpus.train[: 16 * 10 + 1]  # ten sequences
    batches = Batches(recipe, tokens)
    read = [int(index) for step in range(10) for index in batches.sequences(step)]
    epochs = [read[start : start + 10] for start in range(0, 70, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == len(epochs)
    assert batches.read(1)[0].shape == (7, 16)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    sequences=st.integers(1, 300),
    batch_size=st.integers(1, 20),
    epoch=st.integers(0, 1_000_000),
    seed=st.integers(0, 2**31),
)
def test_any_epoch_reads_every_sequence_exactly_once(
    make_recipe: Callable[..., Recipe], sequences: int, batch_size: int, epoch: int, seed: int
) -> None:
    changes = {"train.batch_size": batch_size, "train.tokens": 16 * batch_size, "seeds.order": seed}
    batches = Batches(make_recipe(changes), np.zeros(16 * sequences + 1, dtype=np.uint16))
    first, last = epoch * sequences // batch_size, (epoch + 1) * sequences // batch_size
    slots = [int(index) for step in range(first, last + 1) for index in batches.sequences(step)]
    begin = epoch * sequences - first * batch_size
    assert sorted(slots[begin : begin + sequences]) == list(range(sequences))


def sparse(path: Path, length: int) -> Tokens:
    """Tokens of a file that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(2 * length)
    return np.memmap(path, dtype=np.uint16, mode="r")


def seconds_to_begin(recipe: Recipe, tokens: Tokens, step: int) -> float:
    """Seconds to compute the sequences of a step and read them, with an empty cache."""
    began = time.perf_counter()
    Batches(recipe, tokens).read(step)
    return time.perf_counter() - began


@pytest.mark.parametrize("order", ["shuffled", "sequential"])
def test_a_batch_of_ten_billion_tokens_costs_no_more_memory_or_time_than_of_a_million(
    tmp_path: Path, make_recipe: Callable[..., Recipe], order: str
) -> None:
    recipe = make_recipe({"data.order": order})
    sizes, peaks = (10**6, 10**10), {}
    texts = {tokens: sparse(tmp_path / f"{tokens}.bin", tokens + 1) for tokens in sizes}
    for tokens, mapped in texts.items():
        tracemalloc.start()
        batches = Batches(recipe, mapped)
        for step in (0, tokens // 128 - 1, 10**9):
            assert int(batches.sequences(step).max()) < tokens // 16
            batches.read(step)
        peaks[tokens] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[10**10] < peaks[10**6] + 50_000 < 1_000_000
    # The quickest of many, in turns, of pages touched before: whatever else goes on only adds.
    turns = [
        [seconds_to_begin(recipe, texts[size], size // 256) for size in sizes] for _ in range(100)
    ]
    few, many = map(min, zip(*turns, strict=True))
    assert many < 5 * few


def test_with_ten_billion_tokens_no_sequence_repeats_and_any_step_can_be_read_first(
    tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    recipe, tokens = make_recipe(), sparse(tmp_path / "train.bin", 10**10 + 1)
    batches = Batches(recipe, tokens)
    read = np.stack([batches.sequences(step) for step in range(40_000, 60_000)])
    assert len(np.unique(read)) == read.size
    for step in (59_999, 40_000, 51_234):
        assert np.array_equal(Batches(recipe, tokens).sequences(step), read[step - 40_000])


def test_sequential_order_reads_the_text_in_order_again_and_again(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    batches = Batches(make_recipe({"data.order": "sequential"}), corpus.train[: 16 * 20 + 1])
    read = [int(index) for step in range(5) for index in batches.sequences(step)]
    assert read == [*range(20), *range(20)]


def test_targets_are_the_inputs_shifted_by_one_token(corpus: Corpus, recipe: Recipe) -> None:
    batches = Batches(recipe, corpus.train)
    inputs, targets = batches.read(3)
    assert inputs.shape == targets.shape == (8, 16)
    assert inputs.dtype == targets.dtype == torch.int64
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    for row, sequence in enumerate(batches.sequences(3).tolist()):
        text = corpus.train[sequence * 16 : sequence * 16 + 17].tolist()
        assert [*inputs[row].tolist(), int(targets[row, -1])] == text


def test_the_last_token_of_the_text_is_a_target_when_the_length_allows(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    tokens = corpus.train[: 16 * 8 + 1]
    _, targets = Batches(make_recipe({"data.order": "sequential"}), tokens).read(0)
    assert int(targets[-1, -1]) == int(tokens[-1])


@pytest.mark.parametrize("order", ["shuffled", "sequential"])
def test_the_batch_of_a_step_does_not_depend_on_what_was_read_before(
    corpus: Corpus, make_recipe: Callable[..., Recipe], order: str
) -> None:
    recipe = make_recipe({"data.order": order})
    fresh, used = Batches(recipe, corpus.train), Batches(recipe, corpus.train)
    for step in (900, 3, 3, 0, 12):
        used.read(step)
    assert torch.equal(fresh.read(5)[0], used.read(5)[0])


def test_another_order_seed_reads_another_text(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    first, second = (
        Batches(make_recipe({"seeds.order": seed}), corpus.train).sequences(0).tolist()
        for seed in (1, 2)
    )
    assert not set(first) & set(second)  # 8 of 3,749: sharing any is unlikely
