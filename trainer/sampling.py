"""Sample from a model, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import Field
from torch import Tensor

from model.config import Config, Count
from model.gpt import GPT
from model.incremental import Reader
from trainer.recipe import Seed


class Sampling(Config):
    """Settings for choosing the next token."""

    tokens: Count = 200
    """Largest number of tokens to add."""
    temperature: float = Field(default=0.8, ge=0, le=1e3)
    """Divisor of the logits; 0 to choose the likeliest token always."""
    top_k: Count | None = None
    """Number of likeliest tokens to choose from; None for all."""
    seed: Seed = 1
    """The same seed gives the same text."""


def sample(
    model: GPT, prompt: Sequence[int], sampling: Sampling, end_of_text: int
) -> Iterator[int]:
    """Tokens that follow a prompt of at least one token, until end-of-text is chosen.

    The model sees the last `context` tokens. Once the text is longer, the window slides: every
    position in it changes, so that the whole window is read again for each token.
    """
    device = model.token_embedding.weight.device
    generator = torch.Generator().manual_seed(sampling.seed % 2**63)
    window, reader = list(prompt), Reader(model)
    fresh = window
    for _ in range(sampling.tokens):
        logits = reader.read(torch.tensor(fresh, device=device))
        token = choose(logits.cpu(), sampling, generator)
        if token == end_of_text:
            return
        yield token
        window, fresh = [*window, token], [token]
        if len(window) > model.config.context:
            reader.forget()
            window = fresh = window[-model.config.context :]


def choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Choose a token id from logits (vocabulary,)."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    scaled = logits.double() / sampling.temperature
    if sampling.top_k is None or sampling.top_k >= len(scaled):
        return int(torch.multinomial(scaled.softmax(0), 1, generator=generator))
    kept, ids = scaled.topk(sampling.top_k)
    return int(ids[torch.multinomial(kept.softmax(0), 1, generator=generator)])
