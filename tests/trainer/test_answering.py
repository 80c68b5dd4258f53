"""Answers that are written several at a time: the same as one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import ModelConfig
from model.gpt import GPT
from model.incremental import BatchReader, Reader
from model.init import initialise
from trainer.instructions.answering import MAX_BATCH, MAX_CACHE_BYTES, TIE, GreedyBatch, batch_size
from trainer.sampling import Sampling, sample

CONTEXT, VOCABULARY, END = 24, 31, 30
CONFIG = ModelConfig(layers=2, heads=2, width=16, context=CONTEXT, init_std=0.5)
KINDS = {
    "plain": {},
    "rope": {"position": "rope", "qk_norm": True},
    "grouped": {"position": "none", "kv_heads": 1},
    "window": {"window": 5},
    "experts": {"experts": 4, "active_experts": 2},
    "values": {"value_embeddings": True, "residual_scale": True},
}


def make(**changes: object) -> GPT:
    model = GPT(ModelConfig.model_validate({**CONFIG.model_dump(), **changes}), VOCABULARY)
    initialise(model, 3)
    return model.eval()


MODELS = {kind: make(**changes) for kind, changes in KINDS.items()}


def one_at_a_time(model: GPT, prompts: Sequence[Sequence[int]], limit: int) -> list[list[int]]:
    sampling = Sampling(tokens=limit, temperature=0)
    return [list(sample(model, prompt[-CONTEXT:], sampling, END)) for prompt in prompts]


def together(model: GPT, prompts: Sequence[Sequence[int]], limit: int) -> list[list[int]]:
    batch = GreedyBatch(model, prompts, limit, END)
    assert sum(1 for _ in batch.work()) > 0
    return batch.written


prompt_lists = st.lists(
    st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=CONTEXT + 3),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), prompts=prompt_lists, limit=st.integers(1, 30))
def test_answers_written_together_are_those_written_one_at_a_time(
    kind: str, prompts: list[list[int]], limit: int
) -> None:
    model = MODELS[kind]
    assert together(model, prompts, limit) == one_at_a_time(model, prompts, limit)


@pytest.fixture
def without_prediction() -> GPT:
    """A model for which all tokens are equally likely."""
    model = make()
    with torch.no_grad():
        model.head.weight.zero_()
    return model


def test_tied_tokens_are_chosen_as_one_at_a_time(without_prediction: GPT) -> None:
    prompts = [[1, 2], [3]]
    expected = one_at_a_time(without_prediction, prompts, 4)
    assert together(without_prediction, prompts, 4) == expected


def test_answers_of_a_model_that_diverged_are_those_written_one_at_a_time() -> None:
    model = make()
    with torch.no_grad():
        model.head.weight.fill_(torch.nan)
    assert together(model, [[1, 2], [3]], 4) == one_at_a_time(model, [[1, 2], [3]], 4)


def test_rounding_in_a_batch_moves_logits_by_far_less_than_what_counts_as_a_tie(
    reads: Callable[[GPT, int], tuple[torch.Tensor, torch.Tensor]],
) -> None:
    for kind in KINDS:
        alone, batch = reads(MODELS[kind], 1)
        moved = (alone - batch).abs().amax(-1) / alone.abs().amax(-1)
        assert float(moved.max()) < TIE / 4


@pytest.fixture
def reads() -> Callable[[GPT, int], tuple[torch.Tensor, torch.Tensor]]:
    """The logits after each of several sequences, read one at a time and together."""

    def read(model: GPT, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        texts = [torch.randint(0, END, (n,), generator=generator) for n in (1, 5, 9)]
        more = torch.randint(0, END, (12, 3), generator=generator)
        batch = BatchReader(model, 3, CONTEXT)
        for row, text in enumerate(texts):
            batch.begin(row, text)
        found = torch.stack([batch.read(tokens) for tokens in more], 1)
        alone = []
        for row, text in enumerate(texts):
            reader = Reader(model)
            reader.read(text)
            alone.append(torch.stack([reader.read(tokens[row : row + 1]) for tokens in more]))
        return torch.stack(alone), found

    return read


def test_the_number_of_answers_at_once_is_limited_by_their_memory() -> None:
    assert batch_size(CONFIG, [[1] * 9], 9) == MAX_BATCH
    gpt2 = ModelConfig(layers=48, heads=25, width=1600, context=1024)
    assert batch_size(gpt2, [[1] * 900], 256) == 1
    small = ModelConfig(layers=12, heads=12, width=768, context=1024)
    size = batch_size(small, [[1] * 44], 256)
    assert 1 < size < MAX_BATCH
    assert size * 8 * 12 * 300 * 768 <= MAX_CACHE_BYTES < (size + 1) * 8 * 12 * 300 * 768
