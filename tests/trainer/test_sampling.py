"""Text from a model: chosen by a seed, within a window that slides, in whole characters."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import ModelConfig
from model.gpt import GPT
from model.init import initialise
from trainer.corpora.tokenizer import ByteTokenizer
from trainer.sampling import Sampling, choose, sample
from trainer.tools.generate import shown, whole_characters

CONTEXT, END = 8, 30
CONFIG = ModelConfig(layers=1, heads=2, width=16, context=CONTEXT, init_std=0.5)


@pytest.fixture(scope="module")
def model() -> GPT:
    model = GPT(CONFIG, 31)
    initialise(model, 3)
    return model.eval()


def tokens(model: GPT, prompt: list[int], end: int = -1, **fields: float | None) -> list[int]:
    """The sampled tokens; without an end-of-text token unless `end` is given."""
    return list(sample(model, prompt, Sampling.model_validate({"tokens": 20, **fields}), end))


def test_the_same_seed_gives_the_same_tokens_and_another_seed_gives_others(model: GPT) -> None:
    first = tokens(model, [1, 2], seed=5)
    assert len(first) == 20
    assert first == tokens(model, [1, 2], seed=5)
    assert first != tokens(model, [1, 2], seed=6)


@pytest.mark.parametrize("prompt", [[3], list(range(CONTEXT - 1)), list(range(CONTEXT))])
def test_at_temperature_0_each_token_is_the_likeliest_after_the_last_context_tokens(
    model: GPT, prompt: list[int]
) -> None:
    read = list(prompt)
    for _ in range(20):
        logits = model(torch.tensor([read[-CONTEXT:]]))[0, -1]
        read.append(int(logits.argmax()))
    assert tokens(model, prompt, temperature=0) == read[len(prompt) :]


def test_with_top_k_1_the_seed_does_not_matter(model: GPT) -> None:
    assert tokens(model, [3], top_k=1, seed=9) == tokens(model, [3], temperature=0)


def test_sampling_ends_at_the_end_of_text_token(model: GPT) -> None:
    unending = tokens(model, [3], seed=2)
    end = unending[7]
    assert tokens(model, [3], end=end, seed=2) == unending[: unending.index(end)]


@given(
    logits=st.lists(st.floats(-50, 50), min_size=2, max_size=31, unique=True),
    top_k=st.integers(1, 40),
    seed=st.integers(0, 2**63 - 1),
)
def test_only_the_top_k_tokens_are_chosen(logits: list[float], top_k: int, seed: int) -> None:
    values = torch.tensor(logits, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    chosen = choose(values, Sampling(top_k=top_k, temperature=5.0), generator)
    assert sorted(logits, reverse=True).index(logits[chosen]) < top_k


def test_token_frequencies_match_their_probabilities() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0])
    sampling, generator = Sampling(temperature=0.5), torch.Generator().manual_seed(1)
    drawn = torch.tensor([choose(logits, sampling, generator) for _ in range(4_000)])
    shares = torch.bincount(drawn) / len(drawn)
    torch.testing.assert_close(shares, (logits / 0.5).softmax(0), atol=0.03, rtol=0)


@settings(max_examples=200)
@given(st.text())
def test_characters_of_several_tokens_are_yielded_whole(text: str) -> None:
    pieces = list(whole_characters(ByteTokenizer(), text.encode()))
    assert "".join(pieces) == text
    assert "�" not in "".join(pieces) or "�" in text


@given(st.binary())
def test_invalid_utf8_is_replaced(content: bytes) -> None:
    text = "".join(whole_characters(ByteTokenizer(), content))
    assert text == content.decode(errors="replace")


def test_control_characters_are_not_sent_to_a_terminal() -> None:
    assert shown("\x1b[2Jé\n\t三\r\x07\u202e") == "�[2Jé\n\t三���"
