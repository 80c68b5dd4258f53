"""Measure the share of a step that loading its batch takes: `python benchmarks/loading.py [--seconds 20] [--check]`.

The default study's baseline, one thread: stretches of training steps, and of nothing but reading
their batches from a mapped token file, take turns in one process.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # or else trainer.py beside this file would pass for the package

from benchmarks.contenders import Ours
from benchmarks.promises import Promise
from benchmarks.rounds import Spread, Turns
from sweep.study.file import apply, load_study
from trainer.corpora.corpus import open_corpus, save_corpus
from trainer.corpora.prepare import load_small
from trainer.recipe import DataConfig
from trainer.sources.standard_library import StandardLibrary
from trainer.training.batches import Batches

CPU = torch.device("cpu")
STEPS = 50
"""Steps that a turn takes."""
LARGEST_SHARE = 2.0
"""Percent."""


class Reading:
    """Reads the batches and does nothing with them."""

    name = "reading"

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def step(self, step: int) -> torch.Tensor:
        """The inputs of a step."""
        return self._batches.read(step)[0]


def main() -> int:
    """Measure and print; returns 1 if the promise is checked and broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--check", action="store_true", help="fail when the promise is not kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        turns = measure(Path(cache), arguments.seconds)
    seconds = {name: np.array(times) for name, times in turns.times.items()}
    share = Spread.of(100 * seconds["reading"] / seconds["ours"])
    step, reading = (turns.rate(name, 1) for name in ("ours", "reading"))
    print(f"{turns.rounds} rounds of {STEPS} steps, {torch.get_num_threads()} thread")
    print(f"a step takes {1e3 / step.median:.2f} ms, reading a batch {1e6 / reading.median:.0f} us")
    print(f"share of a step, in percent: {share.text()}")
    promise = Promise("a batch's percent of a step", LARGEST_SHARE, share.median, at_most=True)
    print(promise.text())
    return int(arguments.check and not promise.kept)


def measure(cache: Path, seconds: float) -> Turns:
    """Training and reading in turns."""
    until = time.perf_counter() + seconds
    study = load_study(ROOT / "studies" / "interventions.toml")
    recipe = apply(study.baseline, {}, study.design.streams(1))
    small = load_small(DataConfig(), StandardLibrary(DataConfig()))
    if small is None:
        raise SystemExit("the standard library is larger than it should be")
    corpus = open_corpus(save_corpus(small, cache))
    turns = Turns(CPU, STEPS)
    turns.add_contender(Ours(recipe, corpus, CPU))
    turns.add_contender(Reading(Batches(recipe, corpus.train)))
    turns.play(until)
    return turns


if __name__ == "__main__":
    sys.exit(main())
