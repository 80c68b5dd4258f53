"""Use exported models as their users do, with transformers alone: `python fresh_transformers.py FOLDER ...`.

Prints one JSON object per folder. Beside each folder lies `expected.pt`: tokens, and the run's logits.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Trainer,
    TrainingArguments,
    pipeline,
    set_seed,
)

PROMPTS = ["def f", "x"]


def load(folder: Path) -> Any:  # noqa: ANN401  (a model of any class)
    return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()


def difference(folder: Path, model: Any) -> float:  # noqa: ANN401
    tokens, logits = torch.load(folder.parent / "expected.pt")
    with torch.no_grad():
        return float((model(tokens).logits - logits).abs().max())


def generated(model: Any, prompts: Any, **options: Any) -> list[list[list[int]]]:  # noqa: ANN401
    """The tokens without a cache, with one, and with one of a fixed size."""
    found = []
    for kind in ({"use_cache": False}, {}, {"cache_implementation": "static"}):
        set_seed(7)
        found.append(model.generate(**prompts, max_new_tokens=6, **options, **kind).tolist())
    return found


def losses(model: Any, folder: Path) -> tuple[float, float]:  # noqa: ANN401
    """The loss on a few sequences, before and after one step of the Trainer on them."""
    rows = torch.randint(0, 256, (8, 12), generator=torch.Generator().manual_seed(1))
    data = [{"input_ids": row, "labels": row} for row in rows]
    options: dict[str, Any] = {"report_to": [], "save_strategy": "no", "disable_tqdm": True}
    arguments = TrainingArguments(
        output_dir=str(folder.parent / "trainer"),
        max_steps=1,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        learning_rate=0.01,
        use_cpu=True,
        **options,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=data, eval_dataset=data)
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    return before, trainer.evaluate()["eval_loss"]


def use(folder: Path) -> dict[str, Any]:
    model = load(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    padded = tokenizer(PROMPTS, return_tensors="pt", padding=True, padding_side="left")
    alone = tokenizer(PROMPTS[1], return_tensors="pt")
    with torch.no_grad():
        padding = (model(**padded).logits[1, -1] - model(**alone).logits[0, -1]).abs().max()
    write = pipeline("text-generation", str(folder), trust_remote_code=True)
    said = write(PROMPTS[0], max_new_tokens=6, do_sample=False, return_full_text=False)
    found = {
        "class": type(model).__name__,
        "difference": difference(folder, model),
        "padding": float(padding),
        "greedy": generated(model, padded, do_sample=False),
        "sampled": generated(model, padded, do_sample=True),
        "beams": generated(model, padded, do_sample=False, num_beams=2)[:2],
        "text": said[0]["generated_text"],
        "losses": losses(model, folder),
        "tied": model.lm_head.weight is model.get_input_embeddings().weight,
    }
    model.eval().save_pretrained(folder.parent / "again")
    with torch.no_grad():
        again = load(folder.parent / "again")(padded.input_ids).logits
        torch.save((padded.input_ids, again), folder.parent / "again.pt")
        found["again"] = float((again - model(padded.input_ids).logits).abs().max())
    return found


if __name__ == "__main__":
    assert importlib.util.find_spec("model") is None  # none of our packages is there
    for name in sys.argv[1:]:
        sys.stdout.write("FOUND " + json.dumps(use(Path(name))) + "\n")
