"""A folder in which the commands of the pages can be run: studies, results, a script, a model."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from tests.sources import ROOT

TEXT = "text.txt"
STUDY = f"""\
name = "NAME"

[baseline.data]
corpus = "{TEXT}"

[baseline.model]
layers = 1
heads = 2
width = 16
context = 16

[baseline.optimizer]
learning_rate = 1e-4

[baseline.train]
tokens = 2048
batch_size = 8

[baseline.evaluation]
chunks = 2
chunk_tokens = 64

[design]
seeds = 3

[analysis]
smallest_effect = 0.01
"""
ARMS = """
[interventions.no-dropout]
because = "Little to regularise."
set = { "model.dropout" = 0.0, "optimizer.learning_rate" = 3e-2 }

[interventions.clip]
because = "Spikes."
set = { "optimizer.clip_norm" = 0.5 }
"""
SEARCH = """
[search]
trials = 2
fields = { "optimizer.learning_rate" = { low = 1e-3, high = 1e-2 } }
"""
SCRIPT = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--depth", type=int, default=6)
parser.add_argument("--out_dir", default="out")
parser.add_argument("--seed", type=int, default=1)
flags = parser.parse_args()
print(f"val_loss: {flags.lr + flags.seed / 100}")
"""
SETTINGS = '\n[interventions.low]\nbecause = "Smaller steps."\nset = { lr = 0.01 }\n'
"""An intervention for the study that `sweep init --command` drafts."""


def make_study(name: str) -> str:
    """A study of 16 steps a run. All have the same runs, so the first one trains for all."""
    return STUDY.replace("NAME", name) + (SEARCH if name == "search" else ARMS)


def write_world(folder: Path) -> None:
    """Write the files that commands read; studies of the repository are replaced by tiny ones."""
    shutil.copytree(ROOT / "studies", folder / "studies")
    words = random.Random(1)
    letters = [words.choice("abcdefgh ijklmnop\n") for _ in range(20_000)]
    (folder / TEXT).write_text("".join(letters))
    for name in ("x", "interventions", "search"):
        (folder / "studies" / f"{name}.toml").write_text(make_study(name))
    (folder / "train.py").write_text(SCRIPT)
    _write_results(folder)


def _write_results(folder: Path) -> None:
    runs = [
        (arm, init, order, 3 + effect + init / 100 + order / 1000)
        for arm, effect in (("baseline", 0.0), ("clip", -0.1))
        for init in (1, 2, 3, 4)
        for order in (1, 2)
    ]
    seeds = [(arm, 10 * init + order, loss) for arm, init, order, loss in runs]
    (folder / "results.csv").write_text(_csv("arm,seed,loss", seeds))
    (folder / "losses.csv").write_text(_csv("arm,seed,loss", seeds))
    (folder / "times.csv").write_text(_csv("arm,seed,time", seeds))
    (folder / "runs.csv").write_text(_csv("arm,init_seed,order_seed,loss", runs))
    named = [(arm, seed, loss) for arm, seed, loss in seeds]
    (folder / "named.csv").write_text(_csv("config.name,seed,loss", named))
    levels = [(a, b, c, 60 + 20 * a + 5 * b * c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    (folder / "plant.csv").write_text(_csv("temperature,concentration,catalyst,yield", levels))
    (folder / "logs").mkdir()
    for arm, seed, loss in seeds:
        (folder / "logs" / f"{arm}-seed{seed}.txt").write_text(f"step 10: val loss {loss}\n")


def _csv(head: str, rows: list[tuple[object, ...]]) -> str:
    return "\n".join([head, *(",".join(map(str, row)) for row in rows)])
