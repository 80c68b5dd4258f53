"""Checkpoints survive a killed writer and a full disk."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.disks import PAGE, fill_disk, small_disk
from trainer.errors import CheckpointError
from trainer.training.checkpoint import Checkpoint, Checkpoints
from trainer.training.sealed import read_sealed

IDENTITY = "1" * 64
NEVER = 10**9
WRITER = """
import os, signal, sys
from pathlib import Path

import torch
from trainer.training.checkpoint import Checkpoint, Checkpoints

torch.set_num_threads(1)
checkpoints = Checkpoints(Path(sys.argv[1]), "1" * 64)

def write(first, last, moment):
    left = moment
    def strike(event, _):
        nonlocal left
        left -= event.startswith(("open", "os.", "shutil."))
        if not left:
            os.kill(os.getpid(), 9)
    sys.addaudithook(strike)
    for step in range(first, last):
        for _ in range(2):
            checkpoints.save(Checkpoint(step, {"w": torch.full((999,), float(step))}, {}))
            os.write(1, b"%d\\n" % step)
    os._exit(0)

for line in sys.stdin:
    child = os.fork()
    if not child:
        write(*map(int, line.split()))
    os.write(1, b"pid %d\\n" % child)
    _, status = os.waitpid(child, 0)
    os.write(1, b"ended %d\\n" % status)
"""
"""For each line `first last moment`, a process that saves each of these steps twice.

It kills itself when it touches the disk for the moment-th time.
"""


def full(step: int, size: int = 999) -> Checkpoint:
    return Checkpoint(step, {"w": torch.full((size,), float(step))}, {})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def whole_step(checkpoints: Checkpoints) -> int:
    """The step that training would go on from; fails for the slightest damage."""
    for path in checkpoints.folder.glob("step-*"):
        read_sealed(path)
    found = checkpoints.latest(pytest.fail)
    if not found:
        return 0
    assert torch.equal(found.tensors["w"], torch.full((999,), float(found.step)))
    return found.step


Saves = Callable[[int, int, int, float], tuple[list[int], bool]]


@pytest.fixture
def saves(tmp_path: Path, root: Path) -> Iterator[Saves]:
    """Runs one line of the writer: the steps that it completed, and whether it was killed."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=root, stdin=pipe, stdout=pipe, text=True, bufsize=1
    ) as writer:
        assert writer.stdin
        assert writer.stdout
        lines, answers = writer.stdin, writer.stdout

        def run(first: int, last: int, moment: int, seconds: float) -> tuple[list[int], bool]:
            lines.write(f"{first} {last} {moment}\n")
            said: list[int] = []
            for answer in iter(answers.readline, ""):
                kind, _, number = answer.rpartition(" ")
                if kind == "ended":
                    return said, os.WIFSIGNALED(int(number))
                if kind == "pid" and moment == NEVER:
                    time.sleep(seconds)
                    os.kill(int(number), signal.SIGKILL)
                elif not kind:
                    said.append(int(number))
            pytest.fail("the writer has ended")

        yield run
        lines.close()


@pytest.mark.slow
def test_a_writer_killed_at_any_access_to_the_disk_leaves_a_complete_checkpoint(
    tmp_path: Path, saves: Saves
) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    killed, moment = True, 0
    while killed:
        moment += 1
        checkpoints.clear()
        checkpoints.save(full(1))
        completed, killed = saves(2, 4, moment, 0)
        assert max([1, *completed]) <= whole_step(checkpoints) <= 3
    assert moment > 60
    assert whole_step(checkpoints) == 3
    assert names(tmp_path) == ["step-0000000002", "step-0000000003"]


@pytest.mark.nightly
def test_a_writer_killed_at_any_time_leaves_a_complete_checkpoint(
    tmp_path: Path, saves: Saves
) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    reached = 0
    for _ in range(20):
        completed, killed = saves(reached + 1, NEVER, NEVER, random.uniform(0, 0.1))
        assert killed
        assert whole_step(checkpoints) >= max([reached, *completed])
        reached = whole_step(checkpoints)
    assert reached > 3
    checkpoints.save(full(NEVER))
    assert list(tmp_path.glob(".*")) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Room for 64 pages."""
    with small_disk(tmp_path, 64 * PAGE) as made:
        yield made


def test_a_full_disk_at_any_point_is_reported_and_damages_no_earlier_checkpoint(
    tiny_disk: Path,
) -> None:
    checkpoints = Checkpoints(tiny_disk / "checkpoints", IDENTITY)
    for step in (10, 20):
        checkpoints.save(full(step))
    refusals = []
    for pages in range(64):
        fill_disk(tiny_disk, leave=pages * PAGE)
        try:
            checkpoints.save(full(30, size=9999))
            break
        except CheckpointError as error:
            refusals.append(str(error))
            assert names(checkpoints.folder) == ["step-0000000010", "step-0000000020"]
            assert whole_step(checkpoints) == 20
    assert len(refusals) > 9999 * 4 // PAGE
    for sentence in refusals:
        assert sentence.startswith(
            f"the checkpoint of step 30 cannot be written to {checkpoints.folder} ("
        )
        assert "No space left on device" in sentence
        assert sentence.endswith(
            "; the run continues without it, and earlier checkpoints are intact"
        )
    assert names(checkpoints.folder) == ["step-0000000020", "step-0000000030"]


def test_a_file_in_place_of_the_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    checkpoints = Checkpoints(tmp_path / "file", IDENTITY)
    with pytest.raises(CheckpointError, match=r"file cannot be listed \(Not a directory\)"):
        checkpoints.latest(pytest.fail)
    with pytest.raises(CheckpointError, match=r"file cannot be listed \(Not a directory\)"):
        checkpoints.save(full(1))
