"""The test loss: mean cross-entropy over fixed chunks of the test split."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.gpt import GPT
from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe
from trainer.training.batches import read_sequences
from trainer.training.precision import full_float32
from trainer.training.world import Place

TOKENS_AT_ONCE = 8_192
"""Most tokens per forward pass; changes speed and memory, not the loss."""
LOGITS_AT_ONCE = 2**26
"""Most logits per forward pass: a quarter of a gigabyte."""


@dataclass(frozen=True)
class TestLoss:
    """The outcome of an evaluation."""

    __test__ = False  # tells pytest that this is not a test class

    nats_per_token: float
    bits_per_byte: float
    """Independent of the tokenizer, so that tokenizers can be compared."""
    chunks: list[float]
    """Mean loss of each chunk, in nats per token."""


@torch.no_grad()
@full_float32()
def evaluate(
    model: GPT,
    corpus: Corpus,
    recipe: Recipe,
    place: Place,
    check_stop: Callable[[], object] = lambda: None,
) -> TestLoss:
    """Test loss of `model`, always in float32 and without dropout.

    Each process of a run scores a part of the text; all of them return the result for the whole.
    `check_stop` is called before each piece, equally often in each process; it may raise.
    """
    wanted = recipe.evaluation
    tokens = corpus.test[wanted.start_token :]
    whole = pieces(model, recipe)
    was_training = model.training
    model.eval()
    losses = torch.zeros(sum(map(len, whole)), dtype=torch.float64)
    for first in range(0, len(whole), place.world.size):
        check_stop()
        if (mine := first + place.world.rank) < len(whole):
            piece = whole[mine].astype(np.int64)
            losses[piece] = _sequence_losses(model, tokens, whole[mine], place.device)
    place.world.sum_on_cpu(losses)
    model.train(was_training)
    chunks = losses.view(wanted.chunks, -1).mean(1)
    nats = float(chunks.mean())
    scored = tokens[1 : wanted.chunks * wanted.chunk_tokens + 1]
    text_bytes = int(corpus.byte_lengths[scored].sum(dtype=np.int64))
    bits = nats * len(scored) / math.log(2) / max(1, text_bytes)
    return TestLoss(nats, bits, chunks.tolist())


def pieces(model: GPT, recipe: Recipe) -> list[NDArray[np.uint64]]:
    """Indices of the test sequences, in one array per forward pass."""
    context = recipe.model.context
    sequences = np.arange(
        recipe.evaluation.chunks * recipe.evaluation.chunk_tokens // context, dtype=np.uint64
    )
    fitting = min(TOKENS_AT_ONCE, LOGITS_AT_ONCE // model.head.out_features)
    return np.array_split(sequences, math.ceil(len(sequences) / max(1, fitting // context)))


def _sequence_losses(
    model: GPT, tokens: np.ndarray, sequences: np.ndarray, device: torch.device
) -> Tensor:
    """Mean loss of each sequence, float64 (sequence,) on the CPU."""
    inputs, targets = read_sequences(tokens, sequences, model.config.context)
    logits = model(inputs.to(device))
    losses = F.cross_entropy(
        logits.flatten(0, 1).float(), targets.to(device).flatten(), reduction="none"
    )
    return losses.view(targets.shape).double().mean(1).cpu()
