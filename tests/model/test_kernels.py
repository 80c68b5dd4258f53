"""Every kernel computes what torch's operations do, and passes NaNs on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model import activation_kernels
from model.activation_kernels import ACTIVATION_KERNELS
from model.compiled import run_in_rows
from model.config import Activation, ModelConfig
from model.cross_entropy import ALIGNMENT, MAX_LOGITS, HeadLoss
from model.documents import document_starts
from model.dropout import Dropout, DropoutStream
from model.feed_forward import ACTIVATIONS, FeedForward
from model.kernels import NO_MASK, NO_STARTS, softmax
from model.linear import Linear, product, weight_gradient
from model.norm import EPSILON, LayerNorm, norm_groups
from model.norm_kernels import ROWS_PER_BLOCK
from model.tiled import MAX_TILE_WEIGHTS, ROWS, TiledAttention
from model.windowed import windowed


def randn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gradients(output: torch.Tensor, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(output, inputs, randn(*output.shape, seed=9).to(output.dtype))


@pytest.mark.parametrize("rows", [(1,), (3, 5), (2, 300)])
@pytest.mark.parametrize("width", [1, 7, 64])
@pytest.mark.parametrize("activation", ACTIVATION_KERNELS)
def test_the_feed_forward_network_equals_torchs_layers(
    rows: tuple[int, ...], width: int, activation: Activation
) -> None:
    ours = FeedForward(ModelConfig(width=width, heads=1, activation=activation))
    for index, parameter in enumerate(ours.parameters()):
        torch.nn.init.normal_(parameter, 0, 0.1, torch.Generator().manual_seed(index))
    x = randn(*rows, width).requires_grad_()
    inner = ACTIVATIONS[activation](F.linear(x, ours.expand.weight, ours.expand.bias))
    torchs = F.linear(inner, ours.projection.weight, ours.projection.bias)
    inputs = (x, *ours.parameters())
    torch.testing.assert_close(ours(x), torchs, atol=1e-4, rtol=1e-5)
    for mine, theirs in zip(gradients(ours(x), *inputs), gradients(torchs, *inputs), strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-4, rtol=2e-5)


@pytest.mark.parametrize("activation", ACTIVATION_KERNELS)
def test_an_activation_and_its_slope_equal_torchs_in_float64(activation: str) -> None:
    x = torch.linspace(-8, 8, 10_001)[None].contiguous()
    wide = x.double().requires_grad_()
    expected = ACTIVATIONS[activation](wide)
    slope = torch.autograd.grad(expected.sum(), wide)[0].float()
    forward, out, grad = torch.empty_like(x), torch.empty_like(x), torch.ones_like(x)
    kernels, bias = ACTIVATION_KERNELS[activation], torch.zeros(x.shape[1]).numpy()
    kernels.forward(0, 1, x.numpy(), bias, forward.numpy())
    kernels.backward(0, 1, x.numpy(), bias, grad.numpy(), out.numpy())
    for found in (forward, out):
        torch.testing.assert_close(found, expected.detach().float(), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(grad, slope, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATION_KERNELS)
def test_an_activation_of_extremes_is_finite_and_of_nan_is_nan(activation: str) -> None:
    x = torch.tensor([[-1e4, -30.0, 0.0, 30.0, 1e4, math.nan]])
    out, grad = torch.empty_like(x), torch.ones_like(x)
    arrays = [t.numpy() for t in (x, torch.zeros(6), grad, out)]
    ACTIVATION_KERNELS[activation].backward(0, 1, *arrays)
    wide = x.double().requires_grad_()
    expected = ACTIVATIONS[activation](wide)
    slope = torch.autograd.grad(expected.sum(), wide)[0].float()
    torch.testing.assert_close(out, expected.detach().float(), equal_nan=True)
    torch.testing.assert_close(grad, slope, equal_nan=True)


@pytest.mark.parametrize("rows", [(1,), (3, 5), (2, ROWS_PER_BLOCK)])
@pytest.mark.parametrize("width", [3, 7, 64])
def test_the_norm_equals_torchs(rows: tuple[int, ...], width: int) -> None:
    ours = LayerNorm(width)
    for index, parameter in enumerate(ours.parameters()):
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(index))
    x = (randn(*rows, width) * 3 + 5).requires_grad_()
    torchs = F.layer_norm(x, (width,), ours.weight, ours.bias)
    inputs = (x, *ours.parameters())
    torch.testing.assert_close(ours(x), torchs, atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(gradients(ours(x), *inputs), gradients(torchs, *inputs), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 2 * ROWS_PER_BLOCK + 3])
@pytest.mark.parametrize("counts", [(1,), (4, 2)])
@pytest.mark.parametrize("channels", [1, 5, 16])
def test_the_norm_of_groups_of_channels_equals_torchs(
    rows: int, counts: tuple[int, ...], channels: int
) -> None:
    weights = [randn(channels, seed=index).requires_grad_() for index in range(len(counts))]
    rest = 3 if len(counts) > 1 else 0
    x = (randn(rows, sum(counts) * channels + rest, seed=7) * 3 + 1).requires_grad_()
    sizes = [*(count * channels for count in counts), rest]
    *groups, last = x.split(sizes, 1)
    normed = [
        F.rms_norm(part.view(rows, -1, channels), (channels,), weight, EPSILON).flatten(1)
        for part, weight in zip(groups, weights, strict=True)
    ]
    ours, torchs = norm_groups(x, counts, *weights), torch.cat([*normed, last], 1)
    torch.testing.assert_close(ours, torchs, atol=1e-5, rtol=1e-5)
    found, expected = gradients(ours, x, *weights), gradients(torchs, x, *weights)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-4, rtol=1e-4)


def plain_attention(qkv: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(
        query, key, value, attn_mask=seen, is_causal=seen is None
    )
    return mixed.transpose(1, 2).flatten(2)


@pytest.mark.parametrize(
    ("sequences", "positions", "heads", "channels"),
    [(1, 1, 1, 1), (3, ROWS - 1, 2, 5), (2, ROWS + 1, 3, 8), (5, 3 * ROWS, 4, 16)],
)
def test_tiled_attention_equals_torchs(
    sequences: int, positions: int, heads: int, channels: int
) -> None:
    qkv = (randn(sequences, positions, 3, heads, channels) * 2).requires_grad_()
    ours, torchs = TiledAttention.apply(qkv, None), plain_attention(qkv)
    torch.testing.assert_close(ours, torchs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        gradients(ours, qkv)[0], gradients(torchs, qkv)[0], atol=2e-5, rtol=2e-5
    )


def starts_of(sequences: int, positions: int, share: float) -> torch.Tensor:
    """The starts of documents, of which this share of the positions begins one."""
    generator = torch.Generator().manual_seed(3)
    borders = torch.rand(sequences, positions, generator=generator) < share
    return document_starts(borders.long(), end_of_text=1)


@pytest.mark.parametrize("share", [None, 0.05])
@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize(
    ("sequences", "positions", "window"),
    [(3, 20, 1), (3, 20, 5), (2, ROWS + 1, ROWS), (5, 3 * ROWS, 70), (2, 3 * ROWS - 5, 150)],
)
def test_tiled_attention_to_a_window_equals_the_one_of_torchs_operations(
    sequences: int, positions: int, window: int, rate: float, share: float | None
) -> None:
    starts = None if share is None else starts_of(sequences, positions, share)
    dropout = Dropout(rate, site=4)
    dropout.stream = DropoutStream(1)
    dropout.stream.seek(7, first_sequence=3)
    qkv = (randn(sequences, positions, 3, 4, 8) * 2).requires_grad_()
    ours = TiledAttention.apply(qkv, dropout.mask if rate else None, window, starts)
    keep = dropout.keep_mask if rate else None
    plain = windowed(qkv.permute(2, 0, 3, 1, 4), window, keep, starts).transpose(1, 2).flatten(2)
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)
    found, expected = gradients(ours, qkv)[0], gradients(plain, qkv)[0]
    torch.testing.assert_close(found, expected, atol=3e-5, rtol=2e-5)


@pytest.mark.parametrize("share", [0.005, 0.2])
def test_tiled_attention_to_documents_equals_torchs_with_a_mask(share: float) -> None:
    positions = 2 * ROWS + 7
    starts = starts_of(37, positions, share)
    same = starts[:, None, :, None] == starts[:, None, None, :]
    qkv = (randn(37, positions, 3, 2, 5) * 2).requires_grad_()
    assert 37 * 2 * ROWS * positions > MAX_TILE_WEIGHTS, "several groups of sequences"
    ours, torchs = (
        TiledAttention.apply(qkv, None, None, starts),
        plain_attention(qkv, same & torch.ones(positions, positions, dtype=torch.bool).tril()),
    )
    torch.testing.assert_close(ours, torchs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        gradients(ours, qkv)[0], gradients(torchs, qkv)[0], atol=2e-5, rtol=2e-5
    )


def test_keys_that_a_query_does_not_attend_to_change_no_bit_of_its_softmax() -> None:
    rows, keys = 50, 300
    scores, starts = randn(1, rows, keys), torch.arange(keys)[None] * 7 % (keys - rows)
    hidden = torch.arange(keys) < starts[0, -rows:, None]
    far = scores.masked_fill(hidden, -1e30)  # too small for the sum of the others
    for each, begin in ((scores, starts.numpy()), (far, NO_STARTS)):
        out = torch.empty_like(each)
        softmax(0, 1, each.numpy(), out.numpy(), rows, 0, begin, np.float32(1), *NO_MASK)
    assert torch.equal(scores, far.masked_fill(hidden, 0))


def test_the_attention_test_covers_several_groups_of_sequences() -> None:
    assert 5 * 4 * ROWS * 3 * ROWS > MAX_TILE_WEIGHTS


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("vocabulary", [7, 257])
def test_the_loss_of_the_head_equals_torchs_cross_entropy(
    monkeypatch: pytest.MonkeyPatch, pieces: int, vocabulary: int
) -> None:
    tokens = 31
    monkeypatch.setitem(MAX_LOGITS, "cpu", vocabulary * math.ceil(tokens / pieces))
    hidden = randn(tokens, 8).requires_grad_()
    weight = (randn(vocabulary, 8, seed=2) * 3).requires_grad_()
    targets = torch.randint(0, vocabulary, (tokens,))
    ours = HeadLoss.apply(hidden, weight, targets, torch.tensor(0.125))
    torchs = F.cross_entropy(hidden @ weight.T, targets, reduction="sum") * 0.125
    torch.testing.assert_close(ours, torchs, atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(
        gradients(ours, hidden, weight), gradients(torchs, hidden, weight), strict=True
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("multiple", [1, 64])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_under_autocast_the_loss_of_the_head_is_near_that_of_float32(
    monkeypatch: pytest.MonkeyPatch, kind: torch.dtype, multiple: int
) -> None:
    hidden, weight = randn(31, 8).requires_grad_(), randn(57, 8, seed=2).requires_grad_()
    targets = torch.randint(0, 57, (31,))
    exact = HeadLoss.apply(hidden, weight, targets, torch.tensor(1.0))
    monkeypatch.setitem(ALIGNMENT, "cpu", multiple)  # as a GPU pads the vocabulary
    with torch.autocast("cpu", kind):
        rounded = HeadLoss.apply(hidden, weight, targets, torch.tensor(1.0))
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, atol=0, rtol=2e-2)
    for mine, theirs in zip(
        gradients(rounded, hidden, weight), gradients(exact, hidden, weight), strict=True
    ):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, theirs, atol=5e-2, rtol=5e-2)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_reaches_the_loss(bad: float) -> None:
    hidden = randn(4, 8)
    hidden[2, 3] = bad
    loss = HeadLoss.apply(hidden, randn(5, 8), torch.zeros(4, dtype=torch.int64), torch.tensor(1.0))
    assert not loss.isfinite()
    qkv = randn(2, 10, 3, 2, 4)
    qkv[1, 4] = bad
    mixed = TiledAttention.apply(qkv, None)
    assert mixed[0].isfinite().all()
    assert not mixed[1, 4:].isfinite().any()


def test_linear_equals_torchs() -> None:
    layer, x = Linear(6, 11), randn(4, 5, 6).requires_grad_()
    ours, torchs = layer(x), F.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(ours, torchs, atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(
        gradients(ours, x, layer.weight, layer.bias),
        gradients(torchs, x, layer.weight, layer.bias),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("on_onednn", [False, True])
@pytest.mark.parametrize("shape", [(9, 4, 7), (9, 7, 4), (1, 1, 1), (128, 64, 257)])
def test_products_equal_torchs_with_either_library(
    monkeypatch: pytest.MonkeyPatch, on_onednn: bool, shape: tuple[int, int, int]
) -> None:
    from model import linear  # noqa: PLC0415  (patched here)

    operator = torch.ops.mkldnn._linear_pointwise.default if on_onednn else None
    monkeypatch.setattr(linear, "_onednn_linear", operator)
    rows, inputs, outputs = shape
    x, weight, bias = randn(rows, inputs), randn(outputs, inputs), randn(outputs)
    grad = randn(rows, outputs)
    torch.testing.assert_close(product(x, weight, bias), x @ weight.T + bias, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(weight_gradient(x, grad), grad.T @ x, atol=1e-4, rtol=1e-4)
    layer = Linear(inputs, outputs)
    leaf = x.clone().requires_grad_()
    torch.testing.assert_close(
        gradients(layer(leaf), leaf, layer.weight, layer.bias),
        gradients(F.linear(leaf, layer.weight, layer.bias), leaf, layer.weight, layer.bias),
        atol=1e-4,
        rtol=1e-4,
    )


def test_threads_share_the_rows_and_change_no_bit() -> None:
    x, bias = randn(64, 300), randn(300)
    alone, shared = torch.empty_like(x), torch.empty_like(x)
    run_in_rows(activation_kernels.gelu, 64, x.numpy(), bias.numpy(), alone.numpy())
    torch.set_num_threads(3)
    try:
        run_in_rows(activation_kernels.gelu, 64, x.numpy(), bias.numpy(), shared.numpy())
    finally:
        torch.set_num_threads(1)
    assert torch.equal(alone, shared)
