"""Bare submission to Slurm, and a Slurm of this machine to measure it on: for `executors.py`."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sweep.bootstrap import command
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot
from sweep.executors.slurm.executor import SlurmExecutor
from sweep.study.jobs_section import Jobs
from sweep.study.slurm_section import Slurm
from tests.sweep.executors.slurm_cluster import missing, running_slurm

POLL_SECONDS = 0.2
"""Seconds between two looks at the queue, for bare submission and for sweep."""


@contextlib.contextmanager
def a_slurm() -> Iterator[None]:
    """The Slurm that this machine belongs to, or else one of two nodes that is started here."""
    if "SLURM_CONF" in os.environ or Path("/etc/slurm/slurm.conf").exists():
        yield
        return
    if why := missing():
        raise SystemExit(why)
    with running_slurm() as cluster:
        os.environ.update({name: cluster.environment[name] for name in ("PATH", "SLURM_CONF")})
        yield


def by_array(places: int) -> Callable[[Sequence[Path]], None]:
    """A job array without sweep, `places` of its jobs at a time."""

    def train(paths: Sequence[Path]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "script.sh"
            script.write_text(_script(paths, Path(folder)))
            options = [f"--array=0-{len(paths) - 1}%{places}", "--output=/dev/null"]
            array = _run("sbatch", "--parsable", *options, str(script)).strip()
            while _run("squeue", "--noheader", f"--jobs={array}", "--states=PD,R", "--format=%i"):
                time.sleep(POLL_SECONDS)
            failed = [path for path in paths if not (Path(folder) / f"{path.name}.done").exists()]
        if failed:
            raise SystemExit(f"a job of a bare array failed: {failed[0]}")

    return train


def slurm_executor(folder: Path, places: int, runs: int, preload: Sequence[str]) -> SlurmExecutor:
    """Sweep's executor, ready, with room for `runs` jobs of which `places` run at a time."""
    slurm = Slurm(gres="none", running=places, poll_seconds=POLL_SECONDS)
    made = SlurmExecutor(
        ExecutorSettings(
            slots=[Slot(f"job {number}", "slurm", 1) for number in range(runs)],
            folder=folder.resolve(),
            jobs=Jobs(executor="slurm", slurm=slurm),
            preload=preload,
        )
    )
    made.prepare()
    while not made.slots:
        made.wait(POLL_SECONDS)
    return made


def _script(paths: Sequence[Path], folder: Path) -> str:
    """A script of which each job makes one run, as a user would write it."""
    if (paths[0] / "run.json").exists():
        train = "true"
    else:
        train = f'{shlex.join(command("trainer.tools.train"))} "$run" --device cpu --threads 1'
    runs = " ".join(shlex.quote(str(path)) for path in paths)
    return (
        "#!/bin/bash\n#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=1\n"
        f'runs=({runs})\nrun="${{runs[$SLURM_ARRAY_TASK_ID]}}"\n'
        f'{train} && touch {shlex.quote(str(folder))}/"$(basename "$run").done"\n'
    )


def _run(*words: str) -> str:
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    if ended.returncode and words[0] == "sbatch":
        sys.exit(ended.stderr)
    return ended.stdout.strip()
