"""Two commands on one database, one of them suspended: nothing is trained twice or overwritten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from benchmarks.monkey import differences
from benchmarks.processes import wait_for_end
from tests.faults.terminal import Terminal, end, server_of, steps, trainers, wait_for
from tests.patience import PATIENCE
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

pytestmark = pytest.mark.slow

Open = Callable[..., Terminal]
SHORT_LEASE = {
    "sweep__queue__leases__LEASE_SECONDS": 3,
    "sweep__queue__leases__RENEW_SECONDS": 0.5,
    "sweep__running__scheduler__RENEW_SECONDS": 0.5,
}
ARMS = ("baseline", "no-dropout", "clip")
ORPHAN = """
import sys
from pathlib import Path
import pytest
from trainer.processes.run import train_directory

sys.exit(train_directory(Path(sys.argv[1]), "cpu", 1, int(sys.argv[2])))
"""
"""Trains a run directory as a given attempt, without a scheduler or a fork server."""


def is_replaced(run: RunDirectory) -> bool:
    """True if a second attempt has been announced."""
    return "2" in (run.path / "lock").read_text().split()


def test_two_commands_that_start_together_share_the_runs_and_both_print_the_full_table(
    open_terminal: Open,
) -> None:
    terminal = open_terminal(seeds=2, steps=60)
    told = [end(command) for command in [terminal.start("run", "s.toml") for _ in range(2)]]
    for out in told:
        assert out.count("undecided") == 2, "the table of verdicts"
        assert "6/6" in out or "6 done already" in out or "nothing to train" in out
    assert sum(out.count("tokens/s\n") for out in told) == 6
    assert terminal.rows("SELECT outcome, COUNT(*) FROM attempts GROUP BY outcome") == [("done", 6)]
    assert terminal.rows("SELECT DISTINCT state FROM runs") == [("done",)]


def test_a_suspended_scheduler_and_its_run_cannot_overwrite_the_results_of_their_successor(
    open_terminal: Open, undisturbed: Terminal
) -> None:
    terminal = open_terminal()
    run = terminal.run("baseline")
    first = terminal.start("run", "s.toml", **SHORT_LEASE)
    wait_for(lambda: steps(run) >= 5, first)
    (old,) = trainers(run)
    os.kill(old, signal.SIGSTOP)
    os.kill(first.pid, signal.SIGSTOP)
    second = terminal.start("run", "s.toml", **SHORT_LEASE)
    wait_for(lambda: is_replaced(run), second)
    assert trainers(run) == [old], "the next attempt waits for it"
    os.kill(old, signal.SIGCONT)
    wait_for(lambda: trainers(run) not in ([], [old]) or run.result.exists(), second)
    os.kill(first.pid, signal.SIGCONT)
    for out in (end(first), end(second)):
        assert "3/3" in out
        assert out.count("undecided") == 2
    assert differences(terminal.folder, undisturbed.folder) == []
    (outcome, reason), *others = terminal.attempts(run)
    assert (outcome, str(reason)[:41]) == ("lost", "its scheduler has given no sign of life f")
    assert others == [("done", None)]
    assert terminal.rows("SELECT COUNT(*) FROM attempts WHERE outcome = 'done'") == [(3,)]


def test_a_run_that_outlives_its_scheduler_and_its_fork_server_stops_for_the_next_attempt(
    open_terminal: Open, undisturbed: Terminal
) -> None:
    terminal = open_terminal()
    runs = [terminal.run(arm) for arm in ARMS]
    command = terminal.start("run", "s.toml", "--slots", "1")
    wait_for(lambda: steps(runs[0]) >= 5, command)
    hanging = [*server_of(command), *trainers(runs[0])]
    command.kill()
    assert wait_for_end(hanging) < 2
    words = [sys.executable, "-c", ORPHAN, str(runs[0].path), "1"]
    with subprocess.Popen(words) as orphan:  # as on systems that do not end a child with its parent
        wait_for(lambda: trainers(runs[0]) == [orphan.pid])
        orphan.send_signal(signal.SIGSTOP)  # until its attempt is replaced
        again = terminal.start("run", "s.toml", trainer__rundir__lock__STOP_TIMEOUT=PATIENCE)
        wait_for(lambda: is_replaced(runs[0]), again)
        orphan.send_signal(signal.SIGCONT)
        assert orphan.wait() == Exit.STOPPED
        assert "3/3" in end(again)
    assert differences(terminal.folder, undisturbed.folder) == []
    assert terminal.attempts(runs[0]) == [("lost", "its scheduler ended"), ("done", None)]
