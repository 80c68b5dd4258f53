"""`sweep pause`, `resume`, `cancel` and `retry`, while another terminal runs the study."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from benchmarks.monkey import differences
from tests.faults.terminal import NO_PAUSES, Terminal, end, steps, trainers, wait_for
from tests.forked_command import ForkedCommand
from trainer.rundir.directory import RunDirectory

Open = Callable[..., Terminal]
STATES = "SELECT arms.name, state FROM runs JOIN members ON run_id = runs.id JOIN arms ON arms.id = arm_id"


def hold(run: RunDirectory, command: ForkedCommand) -> int:
    """Suspend a running run, so that there is time for other commands; returns its process id."""
    wait_for(lambda: steps(run) >= 5, command)
    (pid,) = trainers(run)
    os.kill(pid, signal.SIGSTOP)
    return pid


@pytest.mark.slow
def test_pause_resume_cancel_and_retry_work_from_another_terminal(
    open_terminal: Open, undisturbed: Terminal
) -> None:
    terminal = open_terminal()
    baseline, no_dropout = terminal.run("baseline"), terminal.run("no-dropout")
    command = terminal.start("run", "s.toml", "--slots", "1")
    pid = hold(baseline, command)
    assert terminal.sweep("pause", "s.toml") == (
        "tiny is paused: its runs write a checkpoint and stop. `sweep resume tiny` continues it.\n"
    )
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: terminal.attempts(baseline) == [("stopped", "the study was paused")], command)
    assert list(baseline.checkpoints.iterdir())
    assert "Paused: `sweep resume tiny`" in terminal.sweep("status")
    assert "1 of 1 run of tiny cancelled" in terminal.sweep("cancel", "clip")
    assert "tiny is resumed" in terminal.sweep("resume")
    pid = hold(no_dropout, command)
    assert "1 of 1 run of tiny cancelled" in terminal.sweep("cancel", "no-dropout/1")
    os.kill(pid, signal.SIGCONT)
    out = end(command)
    for line in (
        "Waiting: tiny is paused: `sweep resume tiny` continues it.",
        "Resumed.",
        "2 of 3 runs are cancelled and missing: no-dropout/1, clip/1. `sweep retry ",
    ):
        assert line in out
    assert dict(terminal.rows(STATES)) == {
        "baseline": "done",
        "no-dropout": "cancelled",
        "clip": "cancelled",
    }
    assert "2 of 3 runs of tiny queued again" in terminal.sweep("retry")
    assert "Nothing to retry" in terminal.sweep("retry", "baseline")
    assert "3 runs, 1 done already, 2 to train" in terminal.sweep("run", "s.toml")
    assert differences(terminal.folder, undisturbed.folder) == []
    assert [outcome for outcome, _ in terminal.attempts(no_dropout)] == ["cancelled", "done"]


@pytest.mark.slow
def test_a_running_command_trains_a_failed_run_after_sweep_retry(
    open_terminal: Open, undisturbed: Terminal
) -> None:
    terminal = open_terminal(NO_PAUSES + "retries = 0")
    baseline, no_dropout = terminal.run("baseline"), terminal.run("no-dropout")
    baseline.path.parent.mkdir(exist_ok=True)
    baseline.path.write_text("in the way")
    command = terminal.start("run", "s.toml", "--slots", "1")
    pid = hold(no_dropout, command)
    assert [outcome for outcome, _ in terminal.attempts(baseline)] == ["failed"]
    baseline.path.unlink()
    assert "1 of 1 run of tiny queued again" in terminal.sweep("retry", "baseline/1")
    os.kill(pid, signal.SIGCONT)
    assert "FAILED: " in end(command)
    assert differences(terminal.folder, undisturbed.folder) == []


@pytest.mark.slow
def test_fail_fast_stops_at_the_first_failure_for_good_and_otherwise_the_third_alike_one_stops(
    open_terminal: Open,
) -> None:
    terminal = open_terminal(NO_PAUSES + "retries = 0", seeds=2)
    for arm in ("baseline", "no-dropout", "clip"):
        path = terminal.run(arm).path
        path.parent.mkdir(exist_ok=True)
        path.write_text("in the way")
    out = terminal.sweep("run", "s.toml", "--slots", "1", "--fail-fast", status=1)
    assert out.count("FAILED") == 1
    assert "Given up: a run has failed for good: " in out
    out = terminal.sweep("run", "s.toml", "--slots", "1", status=1)
    assert out.count("FAILED") == 3
    assert "Given up: all of the first 3 runs failed for the same reason: " in out
    assert "The others were not tried." in out
    assert sorted(state for _, state in terminal.rows(STATES)) == ["failed"] * 3 + ["queued"] * 3


@pytest.mark.slow
def test_noise_gives_up_as_run_does_and_says_why_although_there_is_no_noise_to_show(
    open_terminal: Open,
) -> None:
    terminal = open_terminal(NO_PAUSES + "retries = 0", seeds=5)
    for seed in range(1, 5):
        path = terminal.run("baseline", seed).path
        path.parent.mkdir(exist_ok=True)
        path.write_text("in the way")
    out = terminal.sweep("noise", "s.toml", "--seeds", "5", "--slots", "1", status=2)
    assert out.count("FAILED") == 3
    assert "3 of 6 runs failed: baseline/1, baseline/2, baseline/3." in out
    assert "Given up: all of the first 3 runs failed for the same reason: " in out
    assert "noise needs two finished baseline seeds, and there are 0" in out
