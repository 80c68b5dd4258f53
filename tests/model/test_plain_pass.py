"""The gradients of a plain model are those of autograd, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from model.config import ModelConfig
from model.dropout import DropoutStream, use_dropout
from model.gpt import GPT
from model.init import initialise
from model.multi_token import MultiTokenGPT
from model.plain_pass import FREE_FIELDS, is_plain_model
from model.tiled import ROWS

VOCABULARY = 50
SCALE = torch.tensor(0.01)


def make_model(**changes: Any) -> GPT:  # noqa: ANN401  (fields of the model)
    usual = {"layers": 2, "heads": 2, "width": 16, "context": 20, "dropout": 0.2}
    model = GPT(ModelConfig(**{**usual, **changes}), VOCABULARY)
    initialise(model, 3)
    for parameter in model.parameters():  # biases that are zero would hide mistakes
        parameter.data += 0.1 * torch.randn(
            parameter.shape, generator=torch.Generator().manual_seed(1)
        )
    model.stream = DropoutStream(5)
    use_dropout(model, model.stream)
    return model


def batch(sequences: int, positions: int) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(7)
    return tuple(torch.randint(VOCABULARY, (2, sequences, positions), generator=drawn))  # type: ignore[return-value]


def by_autograd(model: GPT, tokens: Tensor, targets: Tensor, z_loss: float = 0.0) -> Tensor:
    loss = model.loss(tokens, targets, SCALE, z_loss)
    loss.backward()
    return loss.detach()


def gradients(model: GPT) -> dict[str, Tensor]:
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


CHANGES: list[dict[str, Any]] = [
    {},
    {"dropout": 0.0},
    {"qkv_bias": True},
    {"tie_embeddings": True},
    {"activation": "relu2"},
    {"activation": "gelu_exact"},
    {"logit_softcap": 5.0},
    {"norm": "rms"},
    {"norm": "rms", "dropout": 0.0, "tie_embeddings": True, "activation": "relu2"},
    {"biases": "none"},
    {"biases": "none", "norm": "rms", "position": "rope", "tie_embeddings": True},
    {"biases": "none", "activation": "gelu_exact", "dropout": 0.0},
    {"biases": "none", "activation": "relu2"},
    {"biases": "none", "activation": "silu", "position": "none"},
    {"activation": "silu", "norm": "rms"},
    {"position": "none"},
    {"position": "none", "tie_embeddings": True, "norm": "rms"},
    {"position": "rope"},
    {"position": "rope", "rope_base": 100.0, "rope_share": 0.5, "dropout": 0.0},
    {"position": "rope", "norm": "rms", "tie_embeddings": True, "qkv_bias": True},
    {"qk_norm": True},
    {"qk_norm": True, "dropout": 0.0, "biases": "none"},
    {"qk_norm": True, "position": "rope", "rope_share": 0.5, "norm": "rms"},
    {"window": 5},
    {"window": 1, "window_pattern": "SL", "position": "rope", "qk_norm": True, "dropout": 0.0},
    {"window": ROWS, "context": 3 * ROWS + 5, "window_pattern": "LS", "norm": "rms"},
    {"window": 70, "context": 5 * ROWS, "heads": 8, "layers": 1, "biases": "none"},
    {"context": ROWS + 3, "layers": 1, "position": "rope"},
    # Several groups of sequences, of several tiles each.
    {"context": 5 * ROWS, "heads": 8, "biases": "none"},
    {"context": 5 * ROWS, "heads": 8, "norm": "rms", "position": "rope"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_loss_and_gradients_of_micro_batches_have_autograds_bits(changes: dict[str, Any]) -> None:
    check_micro_batches(make_model(**changes))


@pytest.mark.parametrize(
    "changes",
    [{}, {"position": "rope", "norm": "rms", "qk_norm": True}, {"biases": "none", "window": 9}],
    ids=str,
)
def test_several_threads_have_autograds_bits(changes: dict[str, Any]) -> None:
    torch.set_num_threads(3)
    try:
        check_micro_batches(make_model(width=64, context=70, **changes))
    finally:
        torch.set_num_threads(1)


def check_micro_batches(model: GPT) -> None:
    losses: list[list[Tensor]] = []
    found = []
    for compute in (by_autograd, lambda m, *args: m.add_gradients(*args[:2], SCALE, args[2])):
        losses.append([])
        for step, (sequences, z_loss) in enumerate([(5, 0.0), (5, 1e-2), (2, 0.0)]):
            model.stream.seek(step, first_sequence=step)
            tokens = batch(sequences, model.config.context)
            losses[-1].append(compute(model, *tokens, z_loss))
        found.append(gradients(model))
    assert losses[0] == losses[1]
    assert found[0].keys() == found[1].keys() == dict(model.named_parameters()).keys()
    assert [name for name in found[0] if not torch.equal(found[0][name], found[1][name])] == []
    assert model._pass is not None


@pytest.mark.parametrize(
    "changes", [{}, {"position": "rope", "norm": "rms", "qk_norm": True, "window": 8}], ids=str
)
def test_sequences_shorter_than_the_context_have_autograds_bits(changes: dict[str, Any]) -> None:
    model = make_model(**changes)
    model.stream.seek(0, first_sequence=0)
    tokens = batch(3, 7)
    by_autograd(model, *tokens)
    expected = gradients(model)
    model.add_gradients(*tokens, SCALE)
    found = gradients(model)
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_a_token_or_a_target_beyond_the_vocabulary_is_refused() -> None:
    model = make_model()
    inside, beyond = torch.zeros(1, 3, dtype=torch.int64), torch.full((1, 3), VOCABULARY)
    for tokens, targets in ((inside, beyond), (beyond, inside)):
        with pytest.raises(IndexError):
            model.add_gradients(tokens, targets, SCALE)


@pytest.mark.parametrize(
    "changes",
    [
        *({"kv_heads": 1}, {"activation": "swiglu"}, {"experts": 4}),
        *({"residual_scale": True}, {"value_embeddings": True}),
    ],
    ids=str,
)
def test_autograd_computes_every_other_model(changes: dict[str, Any]) -> None:
    model = make_model(**changes)
    model.stream.seek(0, first_sequence=0)
    tokens = batch(3, 20)
    loss = by_autograd(model, *tokens)
    expected = gradients(model)
    assert model.add_gradients(*tokens, SCALE) == loss
    found = gradients(model)
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert model._pass is None
    assert not is_plain_model(model.config)


def test_a_new_field_of_the_model_is_left_to_autograd_until_it_is_written_out() -> None:
    class Newer(ModelConfig):
        invented: bool = False

    assert ModelConfig.model_fields.keys() > FREE_FIELDS
    assert is_plain_model(Newer())
    assert not is_plain_model(Newer(invented=True))


def test_autograd_computes_further_heads_documents_and_models_in_evaluation() -> None:
    config = make_model().config
    models = [
        MultiTokenGPT(config, VOCABULARY, None, 2),
        GPT(config, VOCABULARY, end_of_text=0),
        make_model().eval(),
    ]
    for model in models:
        initialise(model, 1)
        use_dropout(model, DropoutStream(1))
        model.add_gradients(*batch(2, 20), SCALE)
        assert model._pass is None


def test_the_backward_pass_is_not_under_autocast() -> None:
    model, tokens = make_model(), batch(3, 20)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.loss(*tokens, SCALE)
    loss.backward()
    expected = gradients(model)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.add_gradients(*tokens, SCALE) == loss
    found = gradients(model)
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert model._pass is None
