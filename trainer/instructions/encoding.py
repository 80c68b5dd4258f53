"""Items as tokens: what is read, and which tokens the loss is on. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.corpora.tokenizer import Tokenizer
from trainer.errors import InstructionError
from trainer.instructions.data import Item
from trainer.instructions.prompt import prompt_of
from trainer.instructions.settings import InstructionSettings

IGNORED = -100
"""A target that has no loss, as in torch's cross-entropy."""


@dataclass(frozen=True)
class Encoded:
    """An item as tokens."""

    prompt: Sequence[int]
    """Never cut: an answer follows as much of its end as the context holds."""
    whole: Sequence[int]
    """Prompt, answer and the end-of-text token."""


class Encoder:
    """Turns items into tokens for a model with `context` positions."""

    def __init__(self, settings: InstructionSettings, tokenizer: Tokenizer, context: int) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self._context = context

    def encode(self, item: Item) -> Encoded:
        """Encode an item. Raises InstructionError if it is too long and must not be cut."""
        prompt = prompt_of(item, self._settings.prompt)
        tokens = self._tokens(prompt)
        # Together, because a token may join the end of the prompt and the start of the answer.
        whole = [*self._tokens(prompt + item.output), self._tokenizer.end_of_text]
        room = self._context + 1  # the last token is a target only
        if len(whole) > room:
            self._refuse_unless_cut(item, len(whole))
        return Encoded(tokens, whole[:room])

    def encode_all(self, items: Iterable[Item]) -> list[Encoded]:
        """Encode items in order."""
        return [self.encode(item) for item in items]

    def _tokens(self, text: str) -> list[int]:
        return [int(token) for token in self._tokenizer.encode(text.encode())]

    def _refuse_unless_cut(self, item: Item, length: int) -> None:
        if self._settings.long_items == "refuse":
            raise InstructionError(
                f"the item {item.instruction[:60]!r} has {length} tokens with prompt and answer, "
                f"and the model has {self._context} positions; remove it, or set long_items = "
                '"cut" or prompt = "short"'
            )


def batch_of(items: Sequence[Encoded], end_of_text: int, loss_on: str) -> NDArray[np.int64]:
    """Inputs and targets (2, item, position), int64.

    Items are padded to the longest with end-of-text. The first end-of-text of an item is a target,
    padding is not (Raschka 2024, section 7.3).
    """
    width = max(len(item.whole) for item in items) - 1
    inputs = np.full((len(items), width), end_of_text, np.int64)
    targets = np.full((len(items), width), IGNORED, np.int64)
    for row, item in enumerate(items):
        length = len(item.whole) - 1
        inputs[row, :length] = item.whole[:-1]
        targets[row, :length] = item.whole[1:]
        if loss_on == "answer":
            targets[row, : min(len(item.prompt) - 1, length)] = IGNORED
    return np.stack([inputs, targets])
