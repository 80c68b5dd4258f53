"""Batches and sequences that grow read the text of the baseline, all of it and in its order."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.recipes import make
from trainer.corpora.corpus import Corpus
from trainer.errors import ExecutionSettingError
from trainer.execution import Execution
from trainer.ramps import context_at, growing_batches, stage_starts
from trainer.recipe import Recipe
from trainer.training.batches import Batches
from trainer.training.loop import train
from trainer.training.trainer import Trainer
from trainer.training.world import Place, World

CPU = torch.device("cpu")


@settings(max_examples=60)
@given(
    size=st.integers(1, 64),
    steps=st.integers(1, 200),
    share=st.floats(0.001, 0.999),
    factor=st.floats(0.001, 0.999),
)
def test_batches_grow_to_their_size_and_leave_whole_batches(
    size: int, steps: int, share: float, factor: float
) -> None:
    ramp = growing_batches(size, size * steps, share, factor)
    assert list(ramp) == sorted(ramp)
    assert 1 <= ramp[0] <= ramp[-1] <= size
    left = size * steps - sum(ramp)
    assert left >= 0
    assert left % size == 0
    assert abs(sum(ramp) - share * size * steps) <= 2 * size, "the share, to a step"


def test_a_ramp_is_the_line_that_its_field_says() -> None:
    # From a quarter of 16 over half of 64 sequences: 4 + 12 x (sequences read) / 32.
    fields = {"batch_warmup": 0.5, "batch_warmup_factor": 0.25}
    recipe = make(train={"tokens": 64 * 1024, "batch_size": 16}, schedule=fields)
    line, read = [], 0
    while read < 32:
        line.append(round(4 + 12 * read / 32))
        read += line[-1]
    assert line == [4, 6, 8, 11, 15]
    rest = (64 - sum(line)) % 16
    sizes = [recipe.batch_size_at(step) for step in range(recipe.steps)]
    assert sizes == [*sorted([*line, rest]), 16]
    assert recipe.tokens_until(recipe.steps) == 64 * 1024


def test_the_text_is_that_of_whole_batches_over_more_than_an_epoch(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    fields = {"train.tokens": 16 * 8 * 600}
    plain, growing = (
        make_recipe(fields | change) for change in ({}, {"schedule.batch_warmup": 0.4})
    )
    assert growing.steps > plain.steps
    assert growing.flops == plain.flops
    texts = []
    for recipe in (plain, growing):
        batches = Batches(recipe, corpus.train)
        texts.append(torch.cat([batches.read(step)[0] for step in range(recipe.steps)]))
    assert len(texts[0]) > len(corpus.train) // 16
    assert torch.equal(*texts)


def test_a_result_counts_the_tokens_that_were_read(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe({"schedule.batch_warmup": 0.5})
    result = train(recipe, corpus, None, Place(CPU))
    assert (result.steps, result.tokens) == (recipe.steps, 12 * 8 * 16)


def test_more_processes_than_sequences_in_the_first_batch_are_refused(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe({"schedule.batch_warmup": 0.5})
    with pytest.raises(ExecutionSettingError, match="2 processes cannot share a batch of 1 seq"):
        Trainer(recipe, corpus, Place(CPU, Execution(), World(0, 2)))


@settings(max_examples=40)
@given(stages=st.integers(1, 6), steps=st.integers(6, 300))
def test_sequences_double_in_equal_stages_until_they_are_whole(stages: int, steps: int) -> None:
    lengths = [context_at(4 << stages, 4, step, steps) for step in range(steps + 1)]
    assert lengths == sorted(lengths)
    assert lengths[-1] == 4 << stages
    times = [lengths[:-1].count(4 << stage) for stage in range(stages)]
    assert sum(times) == steps
    assert max(times) - min(times) <= 1
    starts = stage_starts(4 << stages, 4, steps)
    assert starts == {lengths.index(length): length for length in dict.fromkeys(lengths)}


def test_shorter_sequences_cost_less_attention_and_no_token() -> None:
    # 4 of 8 steps of 96 x 1024 tokens: two of 256, two of 512.
    whole, growing = (
        make(train={"tokens": 8 * 98_304, **fields}) for fields in ({}, {"first_context": 256})
    )
    assert growing.tokens_by_context() == {256: 196_608, 512: 196_608, 1024: 393_216}
    saved = 6 * 12 * 768 * (196_608 * (1024 - 256) + 196_608 * (1024 - 512))
    assert whole.flops - growing.flops == pytest.approx(saved)
