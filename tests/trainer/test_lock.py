"""One process at a time trains a run directory, and none that a later attempt has replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from trainer.errors import RunDirectoryError, RunTakenError
from trainer.rundir import lock
from trainer.rundir.lock import RunLock

HOLDER = """
import sys, time
from pathlib import Path
from trainer.rundir.lock import RunLock

run = RunLock(Path(sys.argv[1]))
with run.hold(int(sys.argv[2]), lambda: False):
    print("held", flush=True)
    while sys.argv[3] == "deaf" or not run.is_replaced():
        time.sleep(0.02)
"""
"""Holds a lock as an attempt until a later one is announced, or for ever."""
Holder = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def hold(tmp_path: Path, root: Path) -> Iterator[Holder]:
    """Starts a process that holds the lock as an attempt; it is announced."""
    started: list[subprocess.Popen[str]] = []

    def start(attempt: int, kind: str = "polite") -> subprocess.Popen[str]:
        RunLock(tmp_path).announce(attempt)
        command = [sys.executable, "-c", HOLDER, str(tmp_path), str(attempt), kind]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def never() -> bool:
    return False


def test_an_unannounced_attempt_does_not_wait_for_the_lock(hold: Holder, tmp_path: Path) -> None:
    process = hold(1, "deaf")
    began = time.monotonic()
    with (
        pytest.raises(RunTakenError, match=r"another process still trains .*; it stops at its"),
        RunLock(tmp_path).hold(None, never),
    ):
        pytest.fail("two processes train")
    assert time.monotonic() - began < lock.STOP_TIMEOUT
    assert process.poll() is None


def test_the_kernel_releases_the_lock_however_its_holder_ends(hold: Holder, tmp_path: Path) -> None:
    process = hold(1, "deaf")
    process.kill()
    process.wait()
    with RunLock(tmp_path).hold(None, never):
        pass


def test_an_attempt_begins_once_the_one_before_has_stopped(hold: Holder, tmp_path: Path) -> None:
    process, later = hold(1), RunLock(tmp_path)
    later.announce(2)
    with later.hold(2, never):
        assert process.wait(PATIENCE) == 0, "it stopped by itself"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a lock")
@pytest.mark.parametrize("kind", ["deaf", "suspended"])
def test_a_process_that_does_not_release_the_lock_is_killed_by_the_next_attempt(
    hold: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(lock, "STOP_TIMEOUT", 0.3)
    process, later = hold(1, kind), RunLock(tmp_path)
    if kind == "suspended":
        process.send_signal(signal.SIGSTOP)
    later.announce(2)
    began = time.monotonic()
    with later.hold(2, never):
        assert time.monotonic() - began >= 0.3
        assert process.wait(PATIENCE) == -signal.SIGKILL


def test_an_attempt_replaced_while_it_waits_kills_no_process_and_does_not_begin(
    hold: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "STOP_TIMEOUT", 0.1)
    process = hold(3, "deaf")
    with (
        pytest.raises(RunTakenError, match="attempt 3 has replaced this one, 2"),
        RunLock(tmp_path).hold(2, never),
    ):
        pytest.fail("two processes train")
    assert process.poll() is None


def test_an_attempt_asked_to_stop_while_it_waits_kills_no_process(
    hold: Holder, tmp_path: Path
) -> None:
    process, later = hold(1, "deaf"), RunLock(tmp_path)
    later.announce(2)
    with pytest.raises(RunTakenError, match="another process"), later.hold(2, lambda: True):
        pytest.fail("it was asked to stop")
    assert process.poll() is None


def test_a_late_attempt_is_neither_announced_nor_begun(tmp_path: Path) -> None:
    run = RunLock(tmp_path)
    for attempt in (1, 3, 3):
        run.announce(attempt)
    with pytest.raises(RunTakenError, match="attempt 3 of this run has begun, so attempt 2 is not"):
        run.announce(2)
    with (
        pytest.raises(RunTakenError, match="attempt 3 has replaced this one, 2"),
        run.hold(2, never),
    ):
        pytest.fail("it is late")
    with run.hold(3, never):
        assert not run.is_replaced()


def test_the_holder_of_the_lock_gives_heartbeats_and_notices_that_it_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.0)
    run = RunLock(tmp_path)
    assert run.last_beat() is None
    with run.hold(None, never):
        first = run.last_beat()
        os.utime(tmp_path / "lock", (0, 0))
        assert not run.is_replaced()
        assert run.last_beat() not in {None, 0}
        assert first
        RunLock(tmp_path).announce(1)
        assert run.is_replaced()


def test_a_lock_that_cannot_be_opened_is_reported_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(
        RunDirectoryError, match=r"lock cannot be opened \(Is a directory\); it must"
    ):
        RunLock(tmp_path).announce(1)
