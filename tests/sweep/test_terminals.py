"""Output to terminals, pipes and full disks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Done = subprocess.CompletedProcess[str]
Print = Callable[..., Done]
FULL = Path("/dev/full")


@pytest.fixture
def report(finished: tuple[Path, Done], environment: dict[str, str]) -> Print:
    """A function that runs `sweep report` with arguments, environment variables and an output."""

    def run(*words: str, to: int = subprocess.PIPE, **settings: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "sweep", "report", *words],
            cwd=finished[0],
            env=environment | settings,
            stdout=to,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )

    return run


@pytest.mark.slow
@pytest.mark.parametrize("coding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_a_character_shows_a_question_mark(
    report: Print, coding: str
) -> None:
    done = report(PYTHONIOENCODING=coding)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tiny: effect = arm ? baseline in test loss")


@pytest.mark.nightly
@pytest.mark.parametrize("columns", ["0", "1", "20"])
def test_a_narrow_terminal_shows_every_verdict(report: Print, columns: str) -> None:
    assert "no-dropout" in report(COLUMNS=columns).stdout
    assert "verdict" in report(COLUMNS=columns).stdout


@pytest.mark.slow
@pytest.mark.skipif(not FULL.is_char_device(), reason="this system has no /dev/full")
def test_a_full_disk_behind_a_pipe_is_a_sentence(report: Print) -> None:
    with FULL.open("w") as full:
        done = report(to=full.fileno())
    said = "sweep: the output cannot be written, its disk is full: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.slow
def test_a_report_is_written_into_a_named_pipe_without_replacing_it(
    report: Print, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    done = report("-o", str(pipe))
    assert (done.returncode, done.stderr) == (0, "")
    assert os.read(reader, 1_000_000).startswith(b"tiny: effect")
    assert pipe.is_fifo()
    os.close(reader)
