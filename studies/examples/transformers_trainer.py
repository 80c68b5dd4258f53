"""A tiny GPT-2 with random weights and the Trainer of Hugging Face, on generated text.

    python transformers_trainer.py --output_dir out --learning_rate 0.003 --seed 1

The flags are those of TrainingArguments, and two of the model. It needs `transformers`, `accelerate`.
"""

from dataclasses import dataclass

import torch
from transformers import GPT2Config, GPT2LMHeadModel, HfArgumentParser, Trainer, TrainingArguments


@dataclass
class ModelArguments:
    """The size of the model."""

    n_layer: int = 1
    n_embd: int = 32


def text(count: int, seed: int) -> list[dict[str, torch.Tensor]]:
    """Sequences of 16 letters of 12, each of which depends on the one before."""
    follows = torch.rand(12, 12, generator=torch.Generator().manual_seed(0)) ** 4
    random = torch.Generator().manual_seed(seed)
    letters = [torch.randint(12, (count,), generator=random)]
    for _ in range(15):
        letters.append(torch.multinomial(follows[letters[-1]], 1, generator=random)[:, 0])
    return [{"input_ids": row, "labels": row} for row in torch.stack(letters, 1)]


model_arguments, arguments = HfArgumentParser(
    (ModelArguments, TrainingArguments)
).parse_args_into_dataclasses()
torch.set_num_threads(1)
torch.manual_seed(arguments.seed)
size = {"n_layer": model_arguments.n_layer, "n_embd": model_arguments.n_embd}
model = GPT2LMHeadModel(GPT2Config(vocab_size=12, n_positions=16, n_head=2, **size))
trainer = Trainer(
    model=model, args=arguments, train_dataset=text(2000, seed=1), eval_dataset=text(200, seed=2)
)
trainer.train()
trainer.save_metrics("eval", trainer.evaluate())
