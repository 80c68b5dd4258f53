"""Greedy answers to several prompts at once; each is the one that its prompt alone would get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from model.config import ModelConfig
from model.gpt import GPT
from model.incremental import BatchReader
from trainer.sampling import Sampling, sample

MAX_BATCH = 32
MAX_CACHE_BYTES = 2**28
"""The most memory for keys and values of a batch, in float32, unless one prompt needs more."""
TIE = 1e-5
"""Two tokens are tied if their logits differ by less than this part of the largest one.

Sums over a batch are rounded differently from those over one sequence. That moves logits by about a
millionth of the largest one, so it can change the choice between tied tokens only.
"""


def batch_size(config: ModelConfig, prompts: Sequence[Sequence[int]], limit: int) -> int:
    """How many prompts are answered at once, with up to `limit` tokens each."""
    positions = min(config.context, max(map(len, prompts), default=0) + limit)
    channels = config.key_value_heads * config.head_channels
    bytes_each = 2 * 4 * config.layers * positions * channels
    return min(MAX_BATCH, max(1, MAX_CACHE_BYTES // bytes_each))


class GreedyBatch:
    """Answers prompts of one token or more with the likeliest tokens until end-of-text.

    A sequence with tied tokens, or that outgrows the context, is answered by `sample` alone.
    """

    def __init__(
        self, model: GPT, prompts: Sequence[Sequence[int]], limit: int, end_of_text: int
    ) -> None:
        self._context = context = model.config.context
        self._model, self._limit, self._end = model, limit, end_of_text
        self._prompts = [list(prompt[-context:]) for prompt in prompts]
        self.written: list[list[int]] = [[] for _ in prompts]
        """The tokens of each answer so far, without end-of-text; at most `limit`."""

    def work(self) -> Iterator[None]:
        """Write all answers; yields before each pass through the model."""
        longest = max(map(len, self._prompts)) + self._limit
        reader = BatchReader(self._model, len(self._prompts), min(self._context, longest))
        device = self._model.token_embedding.weight.device
        firsts: list[Tensor] = []
        for row, prompt in enumerate(self._prompts):
            yield
            firsts.append(reader.begin(row, torch.tensor(prompt, device=device)))
        rows, logits = list(range(len(firsts))), torch.stack(firsts)
        alone: list[int] = []
        while going := self._extend(rows, logits, alone):
            yield
            if len(going) < len(rows):
                reader.select(going)
                rows = [rows[place] for place in going]
            last = [self.written[row][-1] for row in rows]
            logits = reader.read(torch.tensor(last, device=device))
        for row in alone:
            yield from self._go_on_alone(row)

    def _extend(self, rows: Sequence[int], logits: Tensor, alone: list[int]) -> list[int]:
        """Add a token to the answers `rows`; returns the places in `rows` of those that go on.

        Adds to `alone` those that go on by themselves.
        """
        (best, second), tokens = logits.topk(2).values.T, logits.argmax(-1).tolist()
        sure = (best - second > TIE * logits.abs().amax(-1)).tolist()  # False for NaN
        going: list[int] = []
        for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
            written = self.written[row]
            if not sure[place]:
                written.clear()  # its cached keys and values were rounded as in a batch
                alone.append(row)
            elif token != self._end:
                written.append(token)
                if len(written) == self._limit:
                    continue
                if len(self._prompts[row]) + len(written) > self._context:
                    alone.append(row)
                else:
                    going.append(place)
        return going

    def _go_on_alone(self, row: int) -> Iterator[None]:
        """Write the rest of an answer by itself."""
        written = self.written[row]
        read = [*self._prompts[row], *written][-self._context :]
        sampling = Sampling(tokens=self._limit - len(written), temperature=0.0)
        yield
        for token in sample(self._model, read, sampling, self._end):
            written.append(token)
            yield
