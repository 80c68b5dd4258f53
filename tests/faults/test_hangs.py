"""A run that hangs, or takes too long, is stopped and tried again; so is one that ignores SIGTERM."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from benchmarks.monkey import differences
from tests.faults.terminal import NO_PAUSES, Terminal, end, server_of, steps, trainers, wait_for

pytestmark = pytest.mark.slow

Open = Callable[..., Terminal]
SHORT_TIMEOUTS = NO_PAUSES + "stall_timeout = 4\nstop_seconds = 0.5\nretries = 9"


def test_a_run_that_hangs_is_killed_and_its_next_attempt_has_the_same_result_to_the_bit(
    open_terminal: Open, undisturbed: Terminal
) -> None:
    terminal = open_terminal(SHORT_TIMEOUTS)
    hung = terminal.run("baseline")
    command = terminal.start("run", "s.toml", "--slots", "2")
    wait_for(lambda: steps(hung) >= 5, command)
    (pid,) = trainers(hung)
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: pid not in trainers(hung), command)
    assert "no step for 4 s (jobs.stall_timeout): it hung" in end(command)
    first, *_, last = terminal.attempts(hung)
    assert first == ("failed", "no step for 4 s (jobs.stall_timeout): it hung")
    assert last == ("done", None)
    assert differences(terminal.folder, undisturbed.folder) == []


def test_a_fork_server_that_hangs_is_replaced_and_its_runs_are_trained_again(
    open_terminal: Open, undisturbed: Terminal
) -> None:
    terminal = open_terminal(SHORT_TIMEOUTS)
    run = terminal.run("baseline")
    command = terminal.start(
        "run", "s.toml", "--slots", "1", sweep__executors__local__KILL_TIMEOUT=0
    )
    wait_for(lambda: steps(run) >= 5, command)
    (server,) = server_of(command)
    os.kill(server, signal.SIGSTOP)
    assert "3/3" in end(command)
    assert differences(terminal.folder, undisturbed.folder) == []


def test_an_attempt_that_takes_too_long_writes_a_checkpoint_and_the_next_one_continues_there(
    open_terminal: Open,
) -> None:
    terminal = open_terminal(NO_PAUSES + "timeout = 2\nretries = 1", steps=1_000_000)
    out = terminal.sweep("run", "s.toml", "--slots", "2", status=1)
    reason = "not done after 2 s (jobs.timeout)"
    assert out.count(f"failed and will be tried again: {reason}") == 3
    assert out.count(f"FAILED: {reason}") == 3
    for arm in ("baseline", "no-dropout", "clip"):
        run = terminal.run(arm)
        assert terminal.attempts(run) == [("failed", reason)] * 2
        newest = max(path.name for path in run.checkpoints.iterdir())
        assert int(newest[5:]) == steps(run), "nothing was lost"
