"""Measure what each known change to a training run costs in time and memory on a CPU.

    python benchmarks/fields.py
    python benchmarks/fields.py relu2 qk-norm --rounds 40

Each change of `sweep interventions` takes turns with the baseline of the default study, from the first
step on. Time is CPU time of this process with one thread, which other programs on the machine
disturb less than time on the clock; it is divided by the tokens, and ratios are formed round by round.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

from benchmarks.rounds import WARM_UP, Spread
from benchmarks.trainer import CPU, SHAPES, recipe_of
from sweep.drafting.catalogue import catalogue
from trainer.corpora.corpus import Corpus
from trainer.corpora.prepare import load_small
from trainer.recipe import DataConfig, Recipe
from trainer.sources.standard_library import StandardLibrary
from trainer.training.provenance import device_name
from trainer.training.trainer import Trainer
from trainer.training.world import Place

STEPS = {"default": 8, "10m": 1}
"""Steps that a turn takes."""


@dataclass(frozen=True)
class Cost:
    """What a change costs, as ratios to the baseline."""

    name: str
    tokens_per_second: float
    """By CPU time, the median of the rounds."""
    time: Spread
    """CPU time per token."""
    state: float
    """Bytes kept from step to step: parameters, gradients, the optimiser's state, averages."""
    activations: float
    """Bytes that the first step keeps from the forward pass for the backward pass."""


class Side:
    """One of the two that take turns."""

    def __init__(self, recipe: Recipe, corpus: Corpus, steps: int) -> None:
        self.recipe, self._steps, self._step = recipe, steps, WARM_UP
        self.trainer = Trainer(recipe, corpus, Place(CPU))
        self.activations = bytes_kept_for_backward(self.trainer)
        for step in range(WARM_UP):
            self.trainer.step(step)

    @property
    def state(self) -> int:
        """Bytes that are kept from step to step."""
        kept = sum(tensor.nbytes for tensor in self.trainer.state().values())
        return kept + self.trainer.parameters.gradients.nbytes

    def seconds_per_token(self) -> float:
        """CPU time per token of the next steps."""
        first, self._step = self._step, self._step + self._steps
        began = time.process_time()
        for step in range(first, self._step):
            self.trainer.step(step)
        tokens = self.recipe.tokens_until(self._step) - self.recipe.tokens_until(first)
        return (time.process_time() - began) / tokens


def bytes_kept_for_backward(trainer: Trainer) -> int:
    """Bytes of the tensors that autograd keeps of step 0's forward pass; parameters do not count.

    Plain models are computed by autograd, too, here: `model.plain_pass` keeps about as much.
    """
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        trainer.dropout.seek(0, 0)
        trainer.model.loss(*trainer.batches.read(0), torch.tensor(1.0)).backward()  # type: ignore[no-untyped-call]
    trainer.parameters.gradients.zero_()
    kept.pop(trainer.parameters.values.untyped_storage().data_ptr(), None)
    return sum(kept.values())


def measure(name: str, change: Mapping[str, Any], shape: str, corpus: Corpus, rounds: int) -> Cost:
    """Measure a change beside the baseline."""
    recipes = (recipe_of(shape, each) for each in ({}, change))
    sides = [Side(recipe, corpus, STEPS[shape]) for recipe in recipes]
    times: list[tuple[float, float]] = []
    for number in range(rounds):
        first = number % 2
        one, other = (side.seconds_per_token() for side in (sides[first], sides[1 - first]))
        times.append((other, one) if first else (one, other))
    usual, changed = sides
    return Cost(
        name=name,
        tokens_per_second=1 / Spread.of([mine for _, mine in times]).median,
        time=Spread.of([mine / plain for plain, mine in times]),
        state=changed.state / usual.state,
        activations=changed.activations / usual.activations,
    )


def main() -> int:
    """Measure and print."""
    arguments = _arguments()
    torch.set_num_threads(1)
    corpus = load_small(DataConfig(), StandardLibrary(DataConfig()))
    if corpus is None:
        return 1
    shape = arguments.shape
    changes = {known.name: known.set for known in catalogue()}
    costs = (
        measure(name, changes[name], shape, corpus, arguments.rounds)
        for name in arguments.names or changes
    )
    content = {"device": device_name(CPU), "torch": torch.__version__, "shape": shape}
    if arguments.format == "json":
        print(json.dumps({**content, "costs": [asdict(each) for each in costs]}, indent=2))
    else:
        print(", ".join(content.values()), *TABLE_HEAD, sep="\n")
        for cost in costs:
            print(_row(cost), flush=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [known.name for known in catalogue()]
    parser.add_argument("names", nargs="*", metavar="NAME", help="of `sweep interventions`; all")
    parser.add_argument("--shape", choices=SHAPES, default="default")
    parser.add_argument("--rounds", type=int, default=15, help="for each change; 15")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"{', '.join(sorted(unknown))} is not in `sweep interventions`")
    return arguments


TABLE_HEAD = ("| change | tokens/s | time | state | kept for backward |", "|---|---|---|---|---|")
"""Of a table in Markdown."""


def _row(cost: Cost) -> str:
    rate, time_ratio = f"{cost.tokens_per_second:,.0f}", cost.time.text()
    return f"| {cost.name} | {rate} | {time_ratio} | {cost.state:.2f} | {cost.activations:.2f} |"


if __name__ == "__main__":
    sys.exit(main())
