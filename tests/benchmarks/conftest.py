from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from trainer.corpora.corpus import Corpus, CorpusInfo
from trainer.recipe import Recipe


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tensors this small are slower with two threads, and far slower beside other tests."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Random bytes of which the small are frequent, so that there is something to learn."""
    tokens = (256 * np.random.default_rng(1).random(60_000) ** 3).astype(np.uint16)
    info = CorpusInfo("random", "bytes", "0" * 64, 1, len(tokens), len(tokens))
    return Corpus(info, tokens, tokens, np.ones(257, dtype=np.int64))


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., Recipe]:
    """Two layers of width 32 without dropout, and some fields of the model set."""

    def make(**model: Any) -> Recipe:  # noqa: ANN401  (whatever a field may hold)
        shape = {"layers": 2, "heads": 2, "width": 32, "context": 32, "dropout": 0.0}
        return Recipe.model_validate(
            {
                "model": shape | model,
                "optimizer": {"learning_rate": 1e-3, "decay": "matrices", "clip_norm": 1.0},
                "train": {"tokens": 8 * 32 * 100, "batch_size": 8},
                "seeds": {"init": 1, "order": 1, "dropout": 1},
            }
        )

    return make
