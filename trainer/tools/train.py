"""Train one run directory, without study, database or orchestrator: `sweep train` becomes this."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from trainer.processes.run import train_directory


def main() -> int:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="sweep train", description=__doc__)
    parser.add_argument("run", type=Path, help="a folder with a recipe.json or a run.json")
    parser.add_argument("--device", help="cpu, cuda or cuda:N; default: a GPU if there is one")
    parser.add_argument("--threads", type=int, help="CPU threads; default: all cores")
    arguments = parser.parse_args()
    output = logging.getLogger("trainer")
    output.addHandler(logging.StreamHandler(sys.stdout))
    output.setLevel(logging.INFO)
    logging.raiseExceptions = False  # a closed pipe on standard output ends no run
    status = train_directory(arguments.run, arguments.device or _best_device(), arguments.threads)
    return status if status >= 0 else 128 - status  # as a shell reports a signal


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
