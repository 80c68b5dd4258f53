"""Compare our speed of training GPT-2 small (1024 tokens, one CUDA GPU) with other trainers.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --share     # runs an hour at 1, 2, 4 and 8 runs on one GPU

A textbook trainer in fp16 autocast, a compiled nanoGPT-style loop in bf16, ours compiled and
eager, and a large bf16 matrix product take turns in one process on the same random tokens. Ends
within its budget of time, compilation included. `--smoke` runs every line on a CPU, tiny.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

from benchmarks.contenders import Contender, NanoGPTStyle, Ours, Textbook
from benchmarks.gpu_sharing import measure_sharing
from benchmarks.promises import Promise
from benchmarks.rounds import Turns, wait
from model.config import ModelConfig
from trainer.corpora.corpus import Corpus, CorpusInfo
from trainer.recipe import DataConfig, Recipe, Seeds, vocabulary_size
from trainer.recipe_sections import TrainConfig
from trainer.training.provenance import device_name

BUDGET = 285.0
"""Seconds for everything: five minutes, less the start of Python."""
RESERVE = 0.02
"""Share of the budget kept for the table."""
PRODUCT = "bf16 product"
OURS = "ours, compiled"
EAGER = "ours, eager"
GIB = 2**30


@dataclass(frozen=True)
class Setting:
    """The recipe, the device, and the size of the reference matrix product."""

    device: torch.device
    recipe: Recipe
    rounds: int
    """Largest number of rounds."""
    steps: int
    """Steps in one turn."""
    side: int
    """Rows and columns of the reference product."""
    products: int
    """Products computed in one turn."""
    backend: str
    """The compiler backend of the nanoGPT-style loop."""
    compile_ours: str
    """Our setting of `compile`."""


class OutOfTimeError(BaseException):
    """The time is up. Not an Exception, so that a compiler that catches all of them lets it pass."""


def main() -> int:
    """Measure and print; returns 2 without a GPU, 1 if time ran out or a checked promise is broken."""
    began = time.perf_counter()
    arguments = _arguments()
    if arguments.share:
        return measure_sharing(arguments)
    if not arguments.smoke and not torch.cuda.is_available():
        print("benchmarks/gpu.py needs a CUDA GPU, and there is none; try --smoke", file=sys.stderr)
        return 2
    setting = _smoke() if arguments.smoke else _gpt2_small(arguments.batch, arguments.dropout)
    turns = Turns(setting.device, setting.steps)
    with contextlib.suppress(OutOfTimeError), _alarm(arguments.budget):
        peaks, missing = _join(turns, setting)
        turns.play(began + arguments.budget * (1 - RESERVE), setting.rounds)
    if turns.rounds == 0:
        print(f"not one round was complete within {arguments.budget:g} s", file=sys.stderr)
        return 1
    print(_table(turns, setting, peaks, missing))
    promises = _promises(turns, setting)
    print("\n".join(promise.text() for promise in promises))
    print(f"{time.perf_counter() - began:.0f} s in all, of a budget of {arguments.budget:g} s")
    return int(arguments.check and not all(promise.kept for promise in promises))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, help="sequences per step; by the GPU's memory")
    parser.add_argument("--dropout", type=float, default=0.1, help="of every contender; 0.1")
    parser.add_argument("--budget", type=float, default=BUDGET, help=f"seconds; {BUDGET:g}")
    parser.add_argument("--check", action="store_true", help="fail when a promise is not kept")
    parser.add_argument("--smoke", action="store_true", help="every line, tiny, on the CPU")
    parser.add_argument("--share", action="store_true", help="runs an hour at 1 to 8 runs a GPU")
    parser.add_argument("--tokens", type=int, default=4_000_000, help="of each run of --share")
    return parser.parse_args()


def _gpt2_small(batch: int | None, dropout: float) -> Setting:
    """Radford et al. 2019: tied embeddings and biases in the attention projections."""
    device = torch.device("cuda")
    memory = torch.cuda.get_device_properties(device).total_memory
    fitting = 32 if memory > 70 * GIB else 16 if memory > 38 * GIB else 8
    model = ModelConfig(tie_embeddings=True, qkv_bias=True, dropout=dropout)
    recipe = _recipe(DataConfig(tokenizer="gpt2"), model, batch or fitting)
    return Setting(
        device,
        recipe,
        rounds=40,
        steps=5,
        side=8192,
        products=20,
        backend="inductor",
        compile_ours="always",
    )


def _smoke() -> Setting:
    """A tiny model on the CPU, traced as for the compiler; its C++ would take a minute."""
    model = ModelConfig(
        layers=1, heads=2, width=16, context=16, dropout=0.1, tie_embeddings=True, qkv_bias=True
    )
    recipe = _recipe(DataConfig(), model, batch=2)
    return Setting(
        torch.device("cpu"),
        recipe,
        rounds=3,
        steps=1,
        side=64,
        products=1,
        backend="aot_eager",
        compile_ours="never",
    )


def _recipe(data: DataConfig, model: ModelConfig, batch: int) -> Recipe:
    tokens = 10_000 * batch * model.context
    return Recipe(
        data=data,
        model=model,
        train=TrainConfig(tokens=tokens, batch_size=batch, precision="bfloat16"),
        seeds=Seeds(init=1, order=1, dropout=1),
    )


def _random_corpus(recipe: Recipe) -> Corpus:
    """Random tokens: speed does not depend on the text."""
    vocabulary, count = vocabulary_size(recipe.data.tokenizer), 2_000_000
    tokens = np.random.default_rng(1).integers(0, vocabulary, count, dtype=np.uint16)
    info = CorpusInfo("random", recipe.data.tokenizer, "0" * 64, 1, count, count)
    return Corpus(info, tokens, tokens, np.ones(vocabulary, dtype=np.int64))


def _join(turns: Turns, setting: Setting) -> tuple[dict[str, int], dict[str, str]]:
    """Each contender's peak memory in bytes, and the reasons for missing contenders."""
    corpus = _random_corpus(setting.recipe)
    peaks, missing = {}, {}
    for name, make in _contenders(setting, corpus).items():
        before = _start_of_peak(setting.device)
        try:
            turns.add_contender(make())
        except RuntimeError as error:  # out of memory, or no compiler
            missing[name] = str(error).splitlines()[0]
            continue
        peaks[name] = _peak(setting.device) - before
    turns.add_task(PRODUCT, _product(setting))
    return peaks, missing


def _contenders(setting: Setting, corpus: Corpus) -> dict[str, Callable[[], Contender]]:
    recipe, device = setting.recipe, setting.device
    return {
        # Ours first: it sets torch's precision, and what was compiled before is compiled again.
        OURS: lambda: Ours(recipe, corpus, device, name=OURS, compiled=setting.compile_ours),
        EAGER: lambda: Ours(recipe, corpus, device, name=EAGER, compiled="never"),
        "nanoGPT-style": lambda: NanoGPTStyle(recipe, corpus, device, backend=setting.backend),
        "textbook": lambda: Textbook(recipe, corpus, device),
    }


def _product(setting: Setting) -> Callable[[], None]:
    shape = (2, setting.side, setting.side)
    left, right = torch.randn(shape, device=setting.device, dtype=torch.bfloat16)
    out = torch.empty_like(left)

    def multiply() -> None:
        for _ in range(setting.products):
            torch.mm(left, right, out=out)

    return multiply


def _promises(turns: Turns, setting: Setting) -> list[Promise]:
    rates = {
        name: turns.speedup(OURS, name).median
        if OURS in turns.times and name in turns.times
        else None
        for name in ("textbook", "nanoGPT-style")
    }
    share = _share(turns, setting, OURS) if OURS in turns.times else None
    return [
        Promise("ours, compiled / textbook in fp16", 3.0, rates["textbook"]),
        Promise("ours, compiled / compiled nanoGPT-style", 1.1, rates["nanoGPT-style"]),
        Promise("ours, compiled: FLOP/s / bf16 product's", 0.5, share),
    ]


def _share(turns: Turns, setting: Setting, name: str) -> float:
    """Model FLOP/s over those of the matrix product, the median of the rounds."""
    step = setting.recipe.flops / setting.recipe.steps
    product = 2 * setting.side**3 * setting.products
    return turns.speedup(name, PRODUCT).median * step / product


def _table(
    turns: Turns,
    setting: Setting,
    peaks: dict[str, int],
    missing: dict[str, str],
) -> str:
    recipe = setting.recipe
    product = turns.rate(PRODUCT, 2 * setting.side**3 * setting.products / 1e12)
    shape = f"batch {recipe.train.batch_size}, context {recipe.model.context}"
    how = f"dropout {recipe.model.dropout:g}, compiled by {setting.backend}"
    lines = [
        f"{device_name(setting.device)}, torch {torch.__version__}",
        f"{shape}, {how}; median (5th to 95th percentile) of {turns.rounds} rounds",
        f"{PRODUCT} of side {setting.side}: {product.text(1)} TFLOP/s",
        f"{'':<18}{'tokens/s':<36}{'ours, compiled / it':<24}{'FLOP/s of product':<19}peak GiB",
    ]
    for name, peak in peaks.items():
        rate = turns.rate(name, recipe.tokens_per_step).text(0)
        ratio = turns.speedup(OURS, name).text() if OURS in turns.times else "unmeasured"
        share = _share(turns, setting, name)
        lines.append(f"{name:<18}{rate:<36}{ratio:<24}{share:<19.1%}{peak / GIB:.1f}")
    lines += [f"{name:<18}not measured: {why}" for name, why in missing.items()]
    return "\n".join([*lines, ""])


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in the body once the time is over, even while it compiles."""

    def ring(_signal: int, _frame: object) -> None:
        raise OutOfTimeError

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _start_of_peak(device: torch.device) -> int:
    if device.type != "cuda":
        return 0
    wait(device)
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def _peak(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


if __name__ == "__main__":
    sys.exit(main())
