"""The fork server with a trainer that does nothing, which leaves the overhead of a run."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

from trainer.processes import forkserver
from trainer.rundir.directory import Result, RunDirectory
from trainer.rundir.exits import Exit


def train_nothing(path: Path, *_place: object) -> int:
    """Write the result of a run that took no step."""
    RunDirectory(path).write_result(
        Result(
            state="done",
            test_loss=2.5,
            chunk_losses=[2.5] * 16,
            last_loss=2.5,
            steps=0,
            tokens=0,
            started=0.0,
            first_step=0.0,
            finished=1.0,
            tokens_per_second=0.0,
            provenance={},
        )
    )
    return Exit.DONE


if __name__ == "__main__":
    forkserver.train_directory = train_nothing
    forkserver.main()
