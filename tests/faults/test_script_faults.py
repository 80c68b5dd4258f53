"""Studies of scripts under stalls, timeouts, pauses, signals and kills, with real commands."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.terminal import Terminal, end, send, server_of, wait_for
from tests.trainer.scripts import processes_of
from trainer.scripts.environment import outputs_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc"),
]

Open = Callable[..., Terminal]
SCRIPT = """
import os, subprocess, sys, time
folder = os.environ["SWEEP_RUN_DIR"]
again = os.path.exists(folder + "/begun")
print("val loss", sys.argv[1], flush=True)
if sys.argv[2] == "waits" and not again:
    subprocess.Popen(["setsid", "sleep", "10000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    open(folder + "/begun", "w").close()
    time.sleep(10_000)
"""
STUDY = f"""
name = "script"
[trainer]
command = [{sys.executable!r}, "toy.py", "{{level}}{{seed}}", "{{kind}}"]
[parameters]
level = 1
kind = "quick"
[metrics.val_loss]
source = {{ regex = 'val loss (\\d+)' }}
direction = "minimize"
[interventions.waits]
set = {{ kind = "waits" }}
because = "Its first attempt does not end."
[design]
seeds = 2
[analysis]
smallest_effect = 0.1
[jobs]
retry_seconds = 0
"""


@pytest.fixture
def open_study(open_terminal: Open) -> Callable[[str], Terminal]:
    """Opens a terminal in a folder with a study of a script; takes settings of `[jobs]`."""

    def make(jobs: str = "") -> Terminal:
        terminal = open_terminal()
        (terminal.folder / "toy.py").write_text(SCRIPT)
        (terminal.folder / "s.toml").write_text(STUDY + jobs)
        return terminal

    return make


def folder_of(terminal: Terminal, seed: int) -> Path:
    """The folder of outputs of a waiting run."""
    return outputs_of(terminal.run("waits", seed)).folder


def all_wait(terminal: Terminal) -> bool:
    """True once both runs that wait have begun."""
    return all((folder_of(terminal, seed) / "begun").exists() for seed in (1, 2))


def nothing_is_left(terminal: Terminal) -> bool:
    """True if no process of a waiting run lives."""
    return not any(processes_of(folder_of(terminal, seed)) for seed in (1, 2))


def test_a_silent_script_is_stopped_and_tried_again(open_study: Callable[[str], Terminal]) -> None:
    terminal = open_study("stall_timeout = 3\nstop_seconds = 1")
    out = terminal.sweep("run", "s.toml", "--slots", "2")
    assert "no output for 3 s (jobs.stall_timeout): it hung" in out
    assert "4/4" in out
    assert nothing_is_left(terminal)


def test_a_script_that_takes_too_long_is_stopped(open_study: Callable[[str], Terminal]) -> None:
    terminal = open_study("timeout = 3\nretries = 0")
    out = terminal.sweep("run", "s.toml", "--slots", "2", status=1)
    assert "FAILED: not done after 3 s (jobs.timeout)" in out
    assert nothing_is_left(terminal)


def test_a_pause_stops_scripts_and_they_are_run_again(
    open_study: Callable[[str], Terminal],
) -> None:
    terminal = open_study("")
    command = terminal.start("run", "s.toml", "--slots", "2")
    wait_for(lambda: all_wait(terminal), command)
    terminal.sweep("pause", "script")
    wait_for(lambda: nothing_is_left(terminal), command)
    terminal.sweep("resume", "script")
    assert "4/4" in end(command)
    assert terminal.attempts(terminal.run("waits")) == [
        ("stopped", "the study was paused"),
        ("done", None),
    ]


def test_ctrl_c_stops_scripts_and_the_same_command_continues(
    open_study: Callable[[str], Terminal],
) -> None:
    terminal = open_study("")
    command = terminal.start("run", "s.toml", "--slots", "2")
    wait_for(lambda: all_wait(terminal), command)
    send(command.pid, signal.SIGINT)
    end(command, 130)
    assert nothing_is_left(terminal)
    assert "2/2" in terminal.sweep("run", "s.toml", "--slots", "2")


@pytest.mark.parametrize("victim", ["command", "server", "both"])
def test_nothing_of_a_script_is_left_after_a_kill_and_the_same_command_continues(
    open_study: Callable[[str], Terminal], victim: str
) -> None:
    terminal = open_study("")
    command = terminal.start("run", "s.toml", "--slots", "2")
    wait_for(lambda: all_wait(terminal), command)
    (server,) = server_of(command)
    for pid in {"command": [command.pid], "server": [server], "both": [server, command.pid]}[
        victim
    ]:
        send(pid, signal.SIGKILL)
    if victim == "server":
        assert "4/4" in end(command)
    wait_for(lambda: nothing_is_left(terminal))
    assert victim == "server" or "2/2" in terminal.sweep("run", "s.toml", "--slots", "2")


def test_runs_that_fail_alike_end_the_study_with_a_sentence(
    open_study: Callable[[str], Terminal],
) -> None:
    terminal = open_study("retries = 0")
    (terminal.folder / "toy.py").write_text("print('loss: 3')")
    out = terminal.sweep("run", "s.toml", "--slots", "2", status=1)
    assert "exit status 0, but no line of its output matched 'val loss (\\d+)'" in out
    assert 'its last lines: "loss: 3"' in out
    assert "Traceback" not in out
