"""The text of an instruction as a model sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trainer.instructions.data import Item
from trainer.instructions.settings import PromptForm

ALPACA = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)
"""The first sentence of Alpaca's form for items without an input; the form of Raschka 2024, "Build a
Large Language Model (From Scratch)", section 7.2, has it for all items."""
RESPONSE = "\n\n### Response:\n"


def _short(item: Item) -> str:
    given = f"\n\n### Input:\n{item.input}" if item.input else ""
    return f"### Instruction:\n{item.instruction}{given}"


def _alpaca(item: Item) -> str:
    return f"{ALPACA}\n\n{_short(item)}"


FORMS: Mapping[PromptForm, Callable[[Item], str]] = {"alpaca": _alpaca, "short": _short}


def prompt_of(item: Item, form: PromptForm) -> str:
    """The text that an answer follows (Taori et al. 2023, "Stanford Alpaca")."""
    return FORMS[form](item) + RESPONSE
