from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import ModelConfig
from model.gpt import GPT
from model.incremental import Reader
from model.init import initialise

CONFIG = ModelConfig(layers=2, heads=2, width=16, context=12, qkv_bias=True, init_std=0.3)


def make(config: ModelConfig = CONFIG) -> GPT:
    model = GPT(config, 31)
    initialise(model, 3)
    return model.eval()


@settings(max_examples=40)
@given(
    tokens=st.lists(st.integers(0, 30), min_size=1, max_size=12),
    cuts=st.sets(st.integers(1, 11)),
    rms=st.booleans(),
)
def test_a_sequence_read_in_pieces_gives_the_logits_of_the_whole(
    tokens: list[int], cuts: set[int], rms: bool
) -> None:
    model = make(CONFIG.model_copy(update={"norm": "rms" if rms else "layer"}))
    whole = torch.tensor(tokens)
    expected = model(whole[None])[0].detach()
    reader, begin = Reader(model), 0
    for end in [*sorted(cut for cut in cuts if cut < len(tokens)), len(tokens)]:
        logits = reader.read(whole[begin:end])
        torch.testing.assert_close(logits, expected[end - 1], atol=1e-5, rtol=1e-5)
        begin = end


def test_a_reader_can_start_a_new_sequence(tokens: torch.Tensor) -> None:
    reader = Reader(make())
    first = reader.read(tokens[0])
    reader.forget()
    reader.read(tokens[1, :5])
    reader.forget()
    assert reader.read(tokens[0]).equal(first)


def test_more_than_the_context_is_refused(tokens: torch.Tensor) -> None:
    reader = Reader(make())
    reader.read(tokens[0])
    with pytest.raises(IndexError):
        reader.read(tokens[0, :1])
