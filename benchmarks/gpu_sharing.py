"""Runs an hour at 1, 2, 4 and 8 runs on one GPU: `python benchmarks/gpu.py --share`.

Each line trains a study of its own with `sweep run`: 10.7 million parameters, as many runs at once as
share the GPU, two rounds of them. The rate is over the time in which runs trained, from the first
step to the last result, so that the start of Python and the preparation of the corpus do not count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.promises import Promise
from sweep.bootstrap import command
from sweep.executors.mps import CONTROL
from sweep.machine.processors import VISIBLE, find_gpus
from trainer.rundir.directory import Result, RunDirectory
from trainer.training.provenance import device_name

RUNS_PER_GPU = (1, 2, 4, 8)
ROUNDS = 2
"""Runs in each slot, one after the other."""
WANTED = 2.0
"""Promised: at the best, so many times the runs an hour of one run on the GPU."""
STUDY = """\
name = "sharing-{sharing}"
[baseline.data]
corpus = "{corpus}"
tokenizer = "bytes"
[baseline.model]
layers = {layers}
heads = {heads}
width = {width}
context = {context}
[baseline.optimizer]
learning_rate = 1e-3
[baseline.train]
tokens = {tokens}
batch_size = 32
precision = "{precision}"
[baseline.evaluation]
chunks = 16
chunk_tokens = {context}
[interventions.clip]
because = "A study has two arms."
set = {{ "optimizer.clip_norm" = 1.0 }}
[design]
seeds = {seeds}
[jobs]
gpus_per_run = {share}
retries = 0
keep = "nothing"
[analysis]
smallest_effect = 0.01
"""
SIZES = {
    "10M": {"layers": 6, "heads": 6, "width": 384, "context": 256, "precision": "bfloat16"},
    "tiny": {"layers": 1, "heads": 2, "width": 16, "context": 16, "precision": "float32"},
}
TEXT = "A corpus of the same few words, for --smoke.\n" * 2000


@dataclass(frozen=True)
class Shared:
    """What was measured at one number of runs a GPU."""

    sharing: int
    """Runs on the GPU at the same time."""
    results: Sequence[Result]
    failed: str = ""
    """What the command printed, if it failed."""

    @property
    def seconds(self) -> float:
        """Seconds from the first step to the last result."""
        first = min(each.first_step or each.started for each in self.results)
        return max(each.finished for each in self.results) - first

    @property
    def per_hour(self) -> float | None:
        """Runs an hour; None if runs failed."""
        return None if self.failed else 3600 * len(self.results) / self.seconds

    @property
    def used_mps(self) -> bool:
        """True if all runs computed through CUDA MPS."""
        return all(each.provenance.get("mps") for each in self.results)


def measure_sharing(arguments: argparse.Namespace) -> int:
    """Measure and print; returns 2 without a GPU, 1 if runs failed or a checked promise is broken."""
    if not arguments.smoke and not (torch.cuda.is_available() and find_gpus()):
        print(
            "benchmarks/gpu.py --share needs a CUDA GPU that nvidia-smi lists, and there is none: "
            "nothing was measured; --share --smoke runs every line on the CPU",
            file=sys.stderr,
        )
        return 2
    sharings = (2,) if arguments.smoke else RUNS_PER_GPU
    with tempfile.TemporaryDirectory(prefix="sharing-") as folder:
        found = [_measure(Path(folder), sharing, arguments) for sharing in sharings]
    device = torch.device("cpu" if arguments.smoke else "cuda")
    print("\n".join(_table(found, device_name(device))))
    promise = Promise("runs an hour of the best / of 1 run a GPU", WANTED, _best(found))
    print("These figures mean nothing." if arguments.smoke else promise.text())
    broken = arguments.check and not (promise.kept or arguments.smoke)
    return int(broken or any(each.failed for each in found))


def _measure(folder: Path, sharing: int, arguments: argparse.Namespace) -> Shared:
    """Train a study whose runs share the first GPU, `sharing` at a time."""
    place = folder / str(sharing)
    place.mkdir()
    size = SIZES["tiny" if arguments.smoke else "10M"]
    tokens = 2048 if arguments.smoke else arguments.tokens
    seeds = max(1, ROUNDS * sharing // 2)  # of two arms
    corpus = "text.txt" if arguments.smoke else "python-stdlib"
    values = {"sharing": sharing, "share": 1 / sharing, "corpus": corpus, "tokens": tokens}
    (place / "study.toml").write_text(STUDY.format(seeds=seeds, **values, **size))
    (place / "text.txt").write_text(TEXT)
    environment = dict(os.environ)
    if not arguments.smoke:
        environment[VISIBLE] = find_gpus()[0]
    words = ["run", "study.toml", "--slots", str(sharing)]
    done = subprocess.run(
        [*command("sweep.__main__"), *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    places = [path.parent for path in place.glob("runs/*/result.json")]
    found = [result for path in places if (result := RunDirectory(path).read_result())]
    failed = "" if done.returncode == 0 and len(found) == 2 * seeds else done.stdout + done.stderr
    return Shared(sharing, found, failed)


def _best(found: Sequence[Shared]) -> float | None:
    """The best rate beside that of one run a GPU; None if that is not known."""
    rates = {each.sharing: each.per_hour for each in found if each.per_hour}
    return max(rates.values()) / rates[1] if 1 in rates else None


def _table(found: Sequence[Shared], device: str) -> list[str]:
    """A line per number of runs a GPU, and why MPS was not used, if it was not."""
    alone = next((each.per_hour for each in found if each.sharing == 1), None)
    lines = [device, "", "runs a GPU  runs  seconds  runs/h   / 1 run a GPU  CUDA MPS"]
    for each in found:
        if each.per_hour is None:
            last = each.failed.strip().splitlines() or ["it printed nothing"]
            lines.append(f"{each.sharing:>10}  failed: {last[-1]}")
            continue
        ratio = f"{each.per_hour / alone:.2f}" if alone else "unknown"
        mps = "yes" if each.used_mps else "no"
        lines.append(
            f"{each.sharing:>10}  {len(each.results):>4}  {each.seconds:>7.1f}  {each.per_hour:>6.0f}  "
            f"{ratio:>13}  {mps if each.sharing > 1 else ''}"
        )
    if not any(each.used_mps for each in found if each.sharing > 1 and not each.failed):
        lines.append(f"Without CUDA MPS: {CONTROL} is missing here, or its daemon does not start.")
    return [*lines, ""]
