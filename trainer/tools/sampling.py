"""Text from a model, token by token."""

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
    """How the next token is chosen."""

    tokens: Count = 200
    """Tokens to add, at most."""
    temperature: float = Field(default=0.8, ge=0, le=1e3)
    """What logits are divided by; 0 for the likeliest token always."""
    top_k: Count | None = None
    """Choose among this many of the likeliest tokens; None for all."""
    seed: Seed = 1
    """The same seed, the same text."""


def sample(
    model: GPT, prompt: Sequence[int], sampling: Sampling, end_of_text: int
) -> Iterator[int]:
    """Tokens that follow a prompt of one token or more, until the end-of-text token is chosen.

    Each is chosen by what the model makes of the last `context` tokens: beyond that the window
    slides, and as every position in it changes it is read anew for each token.
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
    """A token id by its logits (vocabulary,)."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    scaled = logits.double() / sampling.temperature
    if sampling.top_k is None or sampling.top_k >= len(scaled):
        return int(torch.multinomial(scaled.softmax(0), 1, generator=generator))
    kept, ids = scaled.topk(sampling.top_k)
    return int(ids[torch.multinomial(kept.softmax(0), 1, generator=generator)])
