from __future__ import annotations

import pytest
import torch

from model.attention import CausalSelfAttention
from model.config import ModelConfig
from model.dropout import DropoutStream, use_dropout
from model.gpt import GPT
from model.init import initialise


def make(config: ModelConfig) -> GPT:
    model = GPT(config, 31)
    initialise(model, 3)
    return model.eval()


def test_tiled_attention_equals_the_fused_kernel_without_dropout(
    shape: ModelConfig,
) -> None:
    # So low a rate rounds to a mask of ones, but takes the path with a mask.
    attention = CausalSelfAttention(shape.model_copy(update={"dropout": 1e-7}), site=1)
    use_dropout(attention, DropoutStream(1))
    x = torch.randn(3, 12, 16, generator=torch.Generator().manual_seed(1))
    tiled = attention.train()(x)
    fused = attention.eval()(x)
    assert attention.dropout.rate > 0
    torch.testing.assert_close(tiled, fused, atol=1e-5, rtol=1e-5)


def test_attention_with_dropout_masks_the_weights_that_it_mixes_with(shape: ModelConfig) -> None:
    attention = CausalSelfAttention(shape.model_copy(update={"heads": 1, "dropout": 0.5}), site=4)
    stream = DropoutStream(1)
    use_dropout(attention, stream)
    x = torch.randn(3, 12, 16, generator=torch.Generator().manual_seed(1))
    query, key, value = attention.qkv(x).split(16, dim=-1)
    scores = query @ key.transpose(1, 2) / 16**0.5
    hidden = torch.ones(12, 12, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    mask = stream.keep_mask(0.5, 4, (3, 1, 12, 12)).squeeze(1)
    expected = attention.projection((weights * mask) @ value)
    torch.testing.assert_close(attention.train()(x), expected, atol=1e-5, rtol=1e-5)


def test_no_position_sees_later_tokens(shape: ModelConfig, tokens: torch.Tensor) -> None:
    model = make(shape)
    changed = tokens.clone()
    changed[:, 7:] = (changed[:, 7:] + 1) % 31
    before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:])


def test_a_shorter_sequence_gives_the_same_logits(shape: ModelConfig, tokens: torch.Tensor) -> None:
    model = make(shape)
    torch.testing.assert_close(model(tokens)[:, :5], model(tokens[:, :5]))


def test_a_sequence_longer_than_the_context_is_refused(shape: ModelConfig) -> None:
    with pytest.raises(IndexError):
        make(shape)(torch.zeros(1, shape.context + 1, dtype=torch.int64))


def test_tied_embeddings_are_one_matrix_with_the_gradient_of_both(
    shape: ModelConfig, tokens: torch.Tensor
) -> None:
    tied = make(shape.model_copy(update={"tie_embeddings": True}))
    untied = make(shape)
    with torch.no_grad():
        untied.head.weight.copy_(untied.token_embedding.weight)
    assert tied.head.weight is tied.token_embedding.weight
    for model in (tied, untied):
        model(tokens).logsumexp(-1).sum().backward()
    parts = (untied.head.weight.grad, untied.token_embedding.weight.grad)
    assert parts[0] is not None
    assert parts[1] is not None
    torch.testing.assert_close(tied.head.weight.grad, parts[0] + parts[1], atol=1e-5, rtol=1e-5)


def test_an_untrained_model_is_no_better_than_a_guess(
    shape: ModelConfig, tokens: torch.Tensor
) -> None:
    logits = make(shape)(tokens[:, :-1])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert float(loss.detach()) == pytest.approx(3.434, abs=0.05)  # ln 31
