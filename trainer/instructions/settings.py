"""Settings of an instruction fine-tune. Quick to import: does not import torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from model.config import Config, Count

PromptForm = Literal["alpaca", "short"]


class InstructionSettings(Config):
    """How the final weights of a run are fine-tuned on instruction data, and how they answer."""

    train_share: float = Field(default=0.85, gt=0, lt=1)
    """The share of the items to train on: the first ones of the file."""
    test_share: float = Field(default=0.1, gt=0, lt=1)
    """The share of the items to answer: the next ones. The rest is for validation."""
    prompt: PromptForm = "alpaca"
    """`alpaca`: the form of Stanford's Alpaca. `short`: the same without its first sentence."""
    batch_size: Count = 8
    """Items per optimiser step; the last step of an epoch may have fewer."""
    learning_rate: float = Field(default=5e-5, gt=0, le=1e3)
    """AdamW's learning rate, which is constant."""
    weight_decay: float = Field(default=0.1, ge=0, le=1e3)
    """Decoupled weight decay of all parameters."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout rate while fine-tuning, whatever the rate was in training."""
    loss_on: Literal["all", "answer"] = "all"
    """`all`: the loss is on prompt, answer and end-of-text. `answer`: not on the prompt."""
    stop: Literal["first-rise", "never"] = "first-rise"
    """`first-rise`: end once the validation loss rises, and take the weights before that."""
    max_epochs: Count = 20
    """Largest number of passes over the items to train on; exactly that with `stop = "never"`."""
    answer_tokens: Count = 256
    """Largest number of tokens of an answer, of which each is the likeliest one."""
    long_items: Literal["refuse", "cut"] = "refuse"
    """Items longer than the model's context: refuse them, or cut off what exceeds it."""

    @model_validator(mode="after")
    def _something_is_left_for_validation(self) -> InstructionSettings:
        if self.train_share + self.test_share >= 1:
            raise ValueError(
                f"train_share = {self.train_share:g} and test_share = {self.test_share:g} leave "
                "nothing for validation; their sum must be below 1"
            )
        return self
