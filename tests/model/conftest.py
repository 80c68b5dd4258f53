from __future__ import annotations

import pytest
import torch

from model.config import ModelConfig


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tensors this small are slower with two threads, and far slower beside other tests."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shape() -> ModelConfig:
    return ModelConfig(layers=2, heads=2, width=16, context=12, dropout=0.2)


@pytest.fixture(scope="session")
def tokens() -> torch.Tensor:
    """Token ids, (4 sequences, 12 positions), of a vocabulary of 31."""
    return torch.randint(0, 31, (4, 12), generator=torch.Generator().manual_seed(5))
