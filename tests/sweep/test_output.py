"""Output whose reader is gone, and a terminal that is closed, do not end training."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from sweep.progress.drawing import drawn_text
from sweep.progress.live import LiveProgress
from sweep.progress.plain import PlainProgress
from sweep.progress.time_left import TimeLeft
from sweep.progress.watcher import Hindrance, Stop, Waiting
from sweep.running.scheduler import Scheduler
from sweep.running.train import stopping_on_signals
from sweep.terminal.output import LastingFile
from sweep.workload.job import Job
from trainer.rundir.directory import Event


def test_what_is_written_into_a_pipe_without_a_reader_is_dropped() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with LastingFile(writer, "wb") as file:
        assert file.write(b"lost") == 4
        assert file.write(b"too") == 3
        assert Path(f"/dev/fd/{writer}").resolve() == Path(os.devnull)


def test_what_is_written_to_a_terminal_that_is_gone_is_dropped() -> None:
    ours, theirs = os.openpty()
    os.close(ours)
    with LastingFile(theirs, "wb") as file:
        assert file.write(b"lost") == 4
        assert file.write(b"too") == 3


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full")
def test_a_full_disk_is_not_taken_for_a_lost_reader() -> None:
    with LastingFile("/dev/full", "wb") as file, pytest.raises(OSError, match="No space left"):
        file.write(b"kept")


@pytest.mark.slow
def test_a_report_that_nothing_reads_ends_quietly(
    folder: Path, environment: dict[str, str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "sweep", "report", "--format", "json"],
        cwd=folder,
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.nightly
def test_training_goes_on_when_nothing_reads_its_output(
    empty: Path, study_text: str, environment: dict[str, str]
) -> None:
    (empty / "s.toml").write_text(study_text.replace("seeds = 2", "seeds = 1"))
    command = f"'{sys.executable}' -m sweep run s.toml 2>&1 | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=empty, env=environment, capture_output=True, check=False
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert len(list(empty.glob("runs/*/result.json"))) == 3


class Asked:
    """Stands for a scheduler that is asked to stop."""

    def __init__(self) -> None:
        self.why: list[Stop] = []

    def stop(self, why: Stop = Stop.KEYBOARD) -> None:
        self.why.append(why)


def test_a_closed_terminal_stops_the_runs_however_often_it_says_so() -> None:
    asked = Asked()
    with stopping_on_signals(cast("Scheduler", asked)):
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
    assert asked.why == [Stop.HANGUP, Stop.HANGUP]


def test_a_second_interrupt_ends_at_once() -> None:
    asked = Asked()
    with stopping_on_signals(cast("Scheduler", asked)):
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert asked.why == [Stop.KEYBOARD]


def test_a_command_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asked = Asked()
    try:
        with stopping_on_signals(cast("Scheduler", asked)):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert asked.why == []


class FullDisk(io.StringIO):
    """A file on a full disk."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_log_on_a_full_disk_does_not_end_training(jobs: list[Job]) -> None:
    progress = PlainProgress(Console(file=FullDisk()), {}, 4)
    progress.started(jobs[0], "cpu 0")
    progress.failed(jobs[0], "no luck", pause=None)
    assert progress.ended == 1


def test_a_paused_study_shows_neither_its_stopped_runs_nor_a_time(jobs: list[Job]) -> None:
    seen = Console(file=io.StringIO(), force_terminal=True, width=100)
    progress = LiveProgress(seen, {}, 4, TimeLeft(jobs, 2))
    event = Event(step=5, loss=3.0, learning_rate=0.1, grad_norm=1.0, tokens_per_second=9.0)
    for job in jobs[:2]:
        progress.started(job, "cpu 0")
        progress.advanced(job, event)

    def drawn() -> str:
        return drawn_text(progress._draw(100, 30))

    assert drawn().count("3.000") == 2
    assert "first runs will tell" in drawn()
    progress.waiting(Waiting(Hindrance.PAUSED, "tiny"))
    assert drawn().count("stopping") == 2
    for job in jobs[:2]:
        progress.stopped(job, "the study was paused")
    assert "cpu 0" not in drawn()
    assert "0/4 paused" in drawn()
    progress.resumed()
    progress.started(jobs[0], "cpu 0", 5)
    assert " 5/" in drawn()
    assert "first runs will tell" in drawn()
