"""The command line on a cluster: killed, detached and cancelled."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.patience import PATIENCE
from tests.sweep.executors.slurm_cluster import SlurmCluster
from tests.zygote import Zygote

pytestmark = pytest.mark.slow
STUDY = """\
name = "cluster"
[trainer]
command = ["sh", "train.sh", "{seed}", "{lr}"]
[parameters]
lr = 0.5
[metrics.loss]
source = { regex = 'loss (?P<value>[0-9.]+)' }
[interventions.high]
because = "It is higher."
set = { lr = 0.6 }
[design]
seeds = 2
[jobs]
executor = "slurm"
[jobs.slurm]
poll_seconds = 0.5
gres = "none"
[analysis]
smallest_effect = 0.01
"""
SCRIPT = """\
echo "$1 $2" >> begun
while [ ! -e go ]; do sleep 0.2; done
echo "loss $2"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.toml").write_text(STUDY)
    (tmp_path / "train.sh").write_text(SCRIPT)
    return tmp_path


@pytest.fixture
def variables(environment: dict[str, str], slurm: SlurmCluster) -> dict[str, str]:
    own = {name: slurm.environment[name] for name in ("PATH", "SLURM_CONF")}
    return {**environment, **own, "PYTHONPATH": os.environ["PYTHONPATH"]}


def begun(folder: Path) -> list[str]:
    path = folder / "begun"
    return sorted(path.read_text().splitlines()) if path.exists() else []


def claims(folder: Path) -> int:
    """Attempts that the database has."""
    with contextlib.closing(sqlite3.connect(folder / "runs" / "sweep.db")) as connection:
        (number,) = connection.execute("select count(*) from attempts").fetchone()
        return int(number)


def wait_until(condition: Callable[[], Any], awaited: str) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, awaited
        time.sleep(0.1)


ALL = ["1 0.5", "1 0.6", "2 0.5", "2 0.6"]


def test_a_killed_command_loses_no_job_and_the_next_one_doubles_none(
    folder: Path, sweep: Run, zygote: Zygote, variables: dict[str, str], slurm: SlurmCluster
) -> None:
    with zygote.start(["run", "s.toml"], folder, variables) as command:
        wait_until(lambda: begun(folder) == ALL, "four jobs that run")
        os.kill(command.pid, signal.SIGKILL)
    assert list(slurm.jobs().values()) == ["RUNNING"] * 4
    with zygote.start(["run", "s.toml"], folder, variables, merged=True) as command:
        wait_until(lambda: claims(folder) == 8, "a second claim of each run")
        command.terminate()
        said, _ = command.communicate(PATIENCE)
    assert command.returncode == 130
    assert "4 runs go on without this command. To continue: sweep run s.toml" in said
    assert list(slurm.jobs().values()) == ["RUNNING"] * 4
    (folder / "go").touch()
    wait_until(lambda: not slurm.jobs(), "the end of all jobs while no command looks")
    ended = sweep(folder, "run", "s.toml", variables=variables)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4/4" in ended.stdout
    assert begun(folder) == ALL


def test_a_detached_study_is_cancelled_with_all_of_its_jobs(
    folder: Path, sweep: Run, variables: dict[str, str], slurm: SlurmCluster
) -> None:
    said = sweep(folder, "run", "s.toml", "--detach", variables=variables).stdout
    assert "cluster is trained in the background, by process" in said
    pid = int(said.partition("by process ")[2].split()[0])
    try:
        wait_until(lambda: begun(folder) == ALL, "four jobs that run")
        again = sweep(folder, "run", "s.toml", "--detach", variables=variables).stdout
        assert "A process trains cluster already, so none was started" in again
        os.kill(pid, signal.SIGKILL)
        cancelled = sweep(folder, "cancel", "--study", "cluster", variables=variables).stdout
        assert "4 of 4 runs of cluster cancelled" in cancelled
        assert "4 jobs of the cluster ended" in " ".join(cancelled.split())
        wait_until(lambda: not slurm.jobs(), "an empty queue")
    finally:
        subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)
    assert "1 2" not in begun(folder)
    log = sweep(folder, "log", "high/1", variables=variables).stdout
    assert "Slurm job" in log


def test_a_mistake_in_the_study_is_shown_before_it_is_detached(
    folder: Path, sweep: Run, variables: dict[str, str]
) -> None:
    (folder / "s.toml").write_text(STUDY.replace("poll_seconds", "pol_seconds"))
    ended = sweep(folder, "run", "s.toml", "--detach", variables=variables)
    assert ended.returncode == 2
    assert "did you mean 'jobs.slurm.poll_seconds'" in " ".join(
        ended.stderr.split() + ended.stdout.split()
    )
    assert not (folder / "runs").exists()
