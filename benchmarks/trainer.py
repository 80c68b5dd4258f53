"""Compare our training speed on a CPU with a textbook GPT-2 and with transformers' GPT-2.

    python benchmarks/trainer.py

Every contender, ours without dropout, and two large matrix products take turns in one process, so
that other work on the machine affects all of them. Ratios are formed round by round. A share is a
contender's FLOP/s over those of the faster product, so it cannot pass 1. How far ours can be ahead
of another implementation depends on the other's share, and so on the machine and the shape.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

from benchmarks.contenders import Contender, Ours, Textbook, Transformers
from benchmarks.promises import Promise
from benchmarks.rounds import Spread, Turns
from model.linear import Linear
from sweep.study.file import apply, load_study
from trainer.corpora.corpus import Corpus
from trainer.corpora.prepare import load_small
from trainer.recipe import DataConfig, Recipe
from trainer.sources.standard_library import StandardLibrary
from trainer.training.provenance import device_name

CPU = torch.device("cpu")
STUDY = ROOT / "studies" / "interventions.toml"
SHAPES: dict[str, dict[str, int]] = {
    "default": {},
    "10m": {
        "model.width": 256,
        "model.layers": 8,
        "model.heads": 8,
        "model.context": 256,
        "train.batch_size": 8,
    },
}
"""Changes of each shape to the baseline of the default study."""
STEPS = {"default": 16, "10m": 1}
"""Steps that a turn takes: a third of a second or more."""
SECONDS = {"default": 30.0, "10m": 120.0}
PROMISED = {"transformers": 1.5}
"""The least that ours is faster, at both shapes."""
PROMISED_SHARE = {"default": 0.45, "10m": 0.75}
"""The least of the machine's own float32 matrix-product rate that ours has at a shape."""
LARGEST_DROPOUT_COST = 0.20
"""Additional time over ours without dropout."""
SIDE = 1536
"""Rows and columns of the landmark product."""


@dataclass(frozen=True)
class Figures:
    """Measurements at one shape: tokens/s, ratios and GFLOP/s over the rounds."""

    shape: str
    parameters: int
    rounds: int
    seconds: float
    tokens_per_second: dict[str, Spread]
    ratios: dict[str, Spread]
    """Ours over the others."""
    shares: dict[str, Spread]
    """FLOP/s by the 6ND rule over those of the faster landmark."""
    dropout_cost: Spread
    gflops: dict[str, Spread]
    """Ours by the 6ND rule, and the landmarks: a large product through MKL and through ours."""
    missing: dict[str, str]
    """Contenders that could not be measured, and why."""

    def promises(self) -> list[Promise]:
        """The project's promises for this shape."""
        measured = {name: ratio.median for name, ratio in self.ratios.items()}
        share = Promise(
            f"ours: FLOP/s / float32 product's at shape {self.shape}",
            PROMISED_SHARE[self.shape],
            self.shares["ours"].median,
        )
        faster = [
            Promise(f"ours / {name} at shape {self.shape}", wanted, measured.get(name))
            for name, wanted in PROMISED.items()
        ]
        cost = Promise(
            f"dropout's cost at shape {self.shape}",
            LARGEST_DROPOUT_COST,
            self.dropout_cost.median,
            at_most=True,
        )
        return [share, *faster, cost]


def main() -> int:
    """Measure, print, and with `--check` fail unless every promise is kept."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    corpus = load_small(DataConfig(), StandardLibrary(DataConfig()))
    if corpus is None:
        return 1
    shapes = [arguments.shape] if arguments.shape else list(SHAPES)
    figures = [measure(shape, corpus, arguments.seconds or SECONDS[shape]) for shape in shapes]
    promises = [promise for each in figures for promise in each.promises()]
    print(_as_json(figures, promises) if arguments.format == "json" else _as_table(figures))
    lines = [promise.text() for promise in promises]
    if arguments.format == "table":
        print("\n".join(lines))
    broken = [line for line, promise in zip(lines, promises, strict=True) if not promise.kept]
    if arguments.check and broken:
        print("\n".join(broken), file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, help="one shape only")
    parser.add_argument("--seconds", type=float, help=f"for each shape; {SECONDS}")
    parser.add_argument("--threads", type=int, default=1, help="of each contender; 1")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--check", action="store_true", help="fail when a promise is not kept")
    return parser.parse_args()


def recipe_of(shape: str, changes: Mapping[str, Any]) -> Recipe:
    """The baseline of the default study at a shape, with other changes."""
    study = load_study(STUDY)
    return apply(study.baseline, {**SHAPES[shape], **changes}, study.design.streams(1))


def measure(shape: str, corpus: Corpus, seconds: float) -> Figures:
    """Measure all in turns for some seconds, warm-up included."""
    until = time.perf_counter() + seconds
    recipe = recipe_of(shape, {})
    turns = Turns(CPU, STEPS[shape])
    ours = Ours(recipe, corpus, CPU)
    turns.add_contender(ours)
    undropped = recipe_of(shape, {"model.dropout": 0.0})
    turns.add_contender(Ours(undropped, corpus, CPU, name="ours, no dropout"))
    turns.add_contender(Textbook(recipe, corpus, CPU))
    missing = _join_if_there(turns, lambda: Transformers(recipe, corpus, CPU), "transformers")
    landmarks = _add_landmarks(turns)
    turns.play(until)
    names = [name for name in turns.times if name not in landmarks]
    others = [name for name in ("textbook", "transformers") if name in names]
    flops = recipe.flops / recipe.steps
    return Figures(
        shape=shape,
        parameters=sum(p.numel() for p in ours.trainer.model.parameters()),
        rounds=turns.rounds,
        seconds=seconds,
        tokens_per_second={name: turns.rate(name, recipe.tokens_per_step) for name in names},
        ratios={name: turns.speedup("ours", name) for name in others},
        shares={name: _share(turns, name, flops, landmarks) for name in names},
        dropout_cost=_less_one(turns.speedup("ours, no dropout", "ours")),
        gflops={"ours": turns.rate("ours", flops / 1e9)}
        | {name: turns.rate(name, 2 * SIDE**3 / 1e9) for name in landmarks},
        missing=missing,
    )


def _join_if_there(turns: Turns, make: Callable[[], Contender], name: str) -> dict[str, str]:
    try:
        turns.add_contender(make())
    except ImportError as error:
        return {name: f"not measured: {error}; pip install 'gpt-sweep[hub]'"}
    return {}


def _add_landmarks(turns: Turns) -> list[str]:
    """The same float32 product through torch's MKL and through `model.linear`."""
    left, right = torch.randn(2, SIDE, SIDE)
    layer = Linear(SIDE, SIDE, bias=False).requires_grad_(False)
    turns.add_task("torch.mm", lambda: torch.mm(left, right))
    turns.add_task("model.linear", lambda: layer(left))
    return ["torch.mm", "model.linear"]


def _share(turns: Turns, name: str, flops: float, landmarks: list[str]) -> Spread:
    """FLOP/s of a contender, whose step takes `flops`, over those of the faster product."""
    fastest = max(landmarks, key=lambda landmark: turns.rate(landmark, 1.0).median)
    faster, factor = turns.speedup(name, fastest), flops / (2 * SIDE**3)
    return Spread(faster.median * factor, faster.low * factor, faster.high * factor)


def _less_one(ratio: Spread) -> Spread:
    return Spread(ratio.median - 1, ratio.low - 1, ratio.high - 1)


def _as_json(figures: list[Figures], promises: list[Promise]) -> str:
    content = {
        "device": device_name(CPU),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "shapes": [asdict(each) for each in figures],
        "promises": [asdict(each) | {"kept": each.kept} for each in promises],
    }
    return json.dumps(content, indent=2)


def _as_table(figures: list[Figures]) -> str:
    where = f"{device_name(CPU)}, torch {torch.__version__}, {torch.get_num_threads()} thread(s)"
    lines = [f"{where}; median (5th to 95th percentile) of the rounds"]
    for each in figures:
        lines += ["", *_table_of(each)]
    return "\n".join([*lines, ""])


def _table_of(each: Figures) -> list[str]:
    lines = [
        f"Shape {each.shape}: {each.parameters:,} parameters, {each.rounds} rounds",
        f"  {'':<18}{'tokens/s':<30}{'share':<24}ours / it",
    ]
    for name, rate in each.tokens_per_second.items():
        ratio = f"{each.ratios[name].text()}" if name in each.ratios else ""
        share = each.shares[name].text()
        lines.append(f"  {name:<18}{rate.text(0):<30}{share:<24}{ratio}".rstrip())
    lines += [f"  {name:<18}{why}" for name, why in each.missing.items()]
    lines.append(f"  dropout costs {each.dropout_cost.text()} of the time without it")
    lines += [f"  {rate.text(1)} GFLOP/s: {name}" for name, rate in each.gflops.items()]
    limit = 1 / each.shares["textbook"].median
    lines.append(f"  at the product's rate, a step would be {limit:.2f} times the textbook's speed")
    return lines


if __name__ == "__main__":
    sys.exit(main())
