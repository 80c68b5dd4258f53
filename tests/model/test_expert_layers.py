"""The layers of experts equal torch's, also where an expert has no token."""

from __future__ import annotations

import pytest
import torch

from model.activation_kernels import ACTIVATION_KERNELS
from model.expert_layers import ExpertLayers, permuted
from model.feed_forward import ACTIVATIONS


def randn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("activation", ACTIVATION_KERNELS)
@pytest.mark.parametrize("counts", [[4, 1, 5], [0, 10, 0], [3, 0, 7]])
def test_outputs_and_gradients_equal_those_of_each_expert_alone(
    activation: str, counts: list[int]
) -> None:
    inputs = randn(10, 6, seed=1), randn(3, 8, 6, seed=2), randn(3, 6, 8, seed=3)
    rows, expand, projection = inputs
    ours = ExpertLayers.apply(ACTIVATION_KERNELS[activation], counts, *inputs)  # type: ignore[no-untyped-call]
    parts = zip(rows.split(counts), expand, projection, strict=True)  # type: ignore[no-untyped-call]
    plain = torch.cat([ACTIVATIONS[activation](x @ into.T) @ out.T for x, into, out in parts])
    torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-4)
    up = randn(10, 6, seed=4).detach()
    found, expected = (torch.autograd.grad(each, inputs, up) for each in (ours, plain))
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-3, rtol=1e-4)


def test_a_permutation_and_its_gradient_are_exact() -> None:
    rows, order = randn(9, 3, seed=1), torch.randperm(9, generator=torch.Generator().manual_seed(5))
    up = randn(9, 3, seed=2).detach()
    ours, plain = permuted(rows, order, order.argsort()), rows[order]
    assert torch.equal(ours, plain)
    assert torch.equal(*(torch.autograd.grad(each, rows, up)[0] for each in (ours, plain)))
