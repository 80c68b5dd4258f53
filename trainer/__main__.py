"""`python -m trainer RUN_DIR`: train one run directory, without study, database or orchestrator."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from trainer.processes.run import train_directory


def main() -> int:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    parser.add_argument("run", type=Path, help="a folder with a recipe.json")
    parser.add_argument("--device", help="cpu, cuda or cuda:N; a GPU when there is one")
    parser.add_argument("--threads", type=int, help="CPU threads; all cores when left out")
    arguments = parser.parse_args()
    voice = logging.getLogger("trainer")
    voice.addHandler(logging.StreamHandler(sys.stdout))
    voice.setLevel(logging.INFO)
    logging.raiseExceptions = False  # a reader that has gone ends no run
    return train_directory(arguments.run, arguments.device or _best_device(), arguments.threads)


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    sys.exit(main())
