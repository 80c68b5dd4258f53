"""Scripts that are stopped or killed: the run ends, and nothing of it is left, checked in /proc."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.trainer.fork_server import Server
from tests.trainer.scripts import (
    SIGKILL,
    SIGTERM,
    MakeScript,
    Script,
    processes_of,
    script_server,
    wait_until,
)
from trainer.rundir.exits import Exit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
FAMILY = r"""
import os, signal, subprocess, sys, time

def note(name):
    open(os.environ["SWEEP_RUN_DIR"] + "/" + name, "w").close()

def child(*, session=False, orphan=False, deaf=False):
    if os.fork() == 0:
        if session:
            os.setsid()
        if orphan and os.fork():
            os._exit(0)
        if deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        note(f"child-{session}-{orphan}-{deaf}")
        time.sleep(10_000)

child()
child(session=True)
child(session=True, orphan=True)
child(orphan=True, deaf=True)
subprocess.Popen(["sleep", "10000"])
"""
CHILDREN = (
    "child-False-False-False",
    "child-True-False-False",
    "child-True-True-False",
    "child-False-True-True",
)
WAITING = FAMILY + "note('ready'); print('val loss 1', flush=True); time.sleep(10_000)"


def start(made: Script) -> int:
    """Start an attempt, and wait until all its processes are there."""
    pid = made.start()
    for file in ("ready", *CHILDREN):
        made.wait_for(file)
    wait_until(lambda: len(made.processes()) == 6, "the end of the process between")
    return pid


def test_sigterm_stops_a_script_and_all_that_it_started(script: MakeScript) -> None:
    made = script(WAITING)
    start(made)
    made.signal(SIGTERM)
    assert made.end()["status"] == Exit.STOPPED
    assert made.processes() == []
    assert made.directory.read_result() is None


def test_a_script_may_save_its_state_at_sigterm_and_its_metrics_do_not_count(
    script: MakeScript,
) -> None:
    made = script(
        """
        import os, signal, sys, time
        folder = os.environ["SWEEP_RUN_DIR"]
        def save(*_):
            open(folder + "/state", "w").write("7")
            sys.exit(0)
        signal.signal(signal.SIGTERM, save)
        print("val loss 5")
        open(folder + "/ready", "w").close()
        if os.environ["SWEEP_ATTEMPT"] == "2":
            assert open(folder + "/state").read() == "7"
            sys.exit(0)
        time.sleep(10_000)
        """
    )
    made.start()
    made.wait_for("ready")
    made.signal(SIGTERM)
    assert made.end()["status"] == Exit.STOPPED
    assert made.directory.read_result() is None
    assert made.run()["status"] == Exit.DONE
    assert made.result.metrics == {"val_loss": 5.0}


def test_a_script_that_ends_leaves_no_daemon(script: MakeScript) -> None:
    made = script(FAMILY + "note('ready'); print('val loss 1')")
    assert made.run()["status"] == Exit.DONE
    assert made.processes() == []
    assert made.result.notes == ["The script has left 5 processes running, which were killed."]


def test_a_script_that_ignores_sigterm_is_killed_with_its_supervisor(script: MakeScript) -> None:
    made = script("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITING)
    start(made)
    made.signal(SIGTERM)
    made.signal(SIGKILL)
    ended = made.end()
    assert ended["signal"] == SIGKILL
    assert made.processes() == []


def test_a_suspended_script_can_be_stopped(script: MakeScript) -> None:
    made = script(
        "import os, signal; open(os.environ['SWEEP_RUN_DIR'] + '/ready', 'w').close();"
        "os.kill(os.getpid(), signal.SIGSTOP)"
    )
    made.start()
    made.wait_for("ready")
    made.signal(SIGTERM)
    assert made.end()["status"] == Exit.STOPPED


def test_the_fork_server_kills_what_a_killed_supervisor_leaves(script: MakeScript) -> None:
    made = script(WAITING)
    os.kill(start(made), SIGKILL)
    assert made.end()["signal"] == SIGKILL
    assert made.processes() == []


def test_other_runs_survive_the_kill_of_one(bare_server: Server, tmp_path: Path) -> None:
    first = Script(bare_server, tmp_path / "a", WAITING)
    second = Script(bare_server, tmp_path / "b", WAITING)
    killed = start(first)
    start(second)
    os.kill(killed, SIGKILL)
    assert first.end()["signal"] == SIGKILL
    assert first.processes() == []
    assert len(second.processes()) == 6
    second.signal(SIGTERM)
    assert second.end()["status"] == Exit.STOPPED


def test_nothing_is_left_when_the_fork_server_loses_its_client(root: Path, tmp_path: Path) -> None:
    with script_server(root) as own:
        made = Script(own, tmp_path, WAITING)
        start(made)
        assert own.process.stdin
        own.process.stdin.close()
        own.process.wait()
        assert made.processes() == []


def test_nothing_is_left_when_the_fork_server_is_killed(root: Path, tmp_path: Path) -> None:
    with script_server(root) as own:
        made = Script(own, tmp_path, WAITING)
        start(made)
        own.process.kill()
        wait_until(lambda: not made.processes(), "the end of all processes")


def test_the_next_attempt_kills_what_is_left_when_all_were_killed(
    root: Path, tmp_path: Path, bare_server: Server
) -> None:
    with script_server(root) as own:
        made = Script(
            own, tmp_path, "import os; os.environ['SWEEP_ATTEMPT'] == '1' or 1 / 0\n" + WAITING
        )
        supervisor = start(made)
        os.kill(own.process.pid, 19)  # SIGSTOP: it cleans up nothing
        os.kill(supervisor, SIGKILL)
        own.process.kill()
        own.process.wait()
    time.sleep(0.1)
    left = set(processes_of(made.outputs.folder))
    assert left
    made.server = bare_server
    assert made.run()["status"] == Exit.FAILED
    assert "ZeroDivisionError" in made.reason
    assert made.processes() == []


def test_a_later_attempt_replaces_a_script(script: MakeScript) -> None:
    made = script(WAITING)
    start(made)
    made.directory.lock.announce(made.attempt + 1)
    assert made.end()["status"] == Exit.TAKEN
    assert made.processes() == []


def test_output_is_the_sign_of_life(script: MakeScript) -> None:
    made = script(
        """
        import os, time
        folder = os.environ["SWEEP_RUN_DIR"]
        def wait_for(name):
            while not os.path.exists(f"{folder}/{name}"):
                time.sleep(0.05)
        open(folder + "/ready", "w").close()
        wait_for("write")
        while not os.path.exists(folder + "/quiet"):
            open(folder + "/metrics.jsonl", "a").write('{"step": 1, "val_loss": 2}' + chr(10))
            time.sleep(0.05)
        wait_for("end")
        """
    )
    made.start()
    made.wait_for("ready")
    beat = made.directory.lock.last_beat

    def is_silent() -> bool:
        before = beat()
        time.sleep(3)  # three heartbeats
        return beat() == before

    wait_until(is_silent, "an end of heartbeats")
    silent = beat()
    (made.outputs.folder / "write").touch()
    wait_until(lambda: beat() != silent, "a heartbeat")
    (made.outputs.folder / "quiet").touch()
    (made.outputs.folder / "end").touch()
    made.end()
