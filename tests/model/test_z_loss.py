"""The gradient of the z-loss is that of its formula, and the loss is reported without it."""

from __future__ import annotations

import pytest
import torch

from model.cross_entropy import HeadLoss, LossOptions, capped


@pytest.mark.parametrize("softcap", [None, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_of_the_z_loss_is_that_of_autograd(
    softcap: float | None, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(300, 8, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(50, 8, generator=generator).to(dtype).requires_grad_()
    targets = torch.randint(50, (300,), generator=generator)
    scale = torch.tensor(0.25)
    loss = HeadLoss.apply(hidden, weight, targets, scale, LossOptions(softcap, 0.1))  # type: ignore[no-untyped-call]
    found = torch.autograd.grad(loss, (hidden, weight))
    logits = hidden.double() @ weight.double().T
    logits = logits if softcap is None else capped(logits, softcap)
    entropy = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    squares = torch.logsumexp(logits, -1).square().sum()
    expected = torch.autograd.grad(0.25 * (entropy + 0.1 * squares), (hidden, weight))
    assert float(loss.detach()) == pytest.approx(0.25 * float(entropy.detach()), rel=1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=1e-4, atol=1e-5)
