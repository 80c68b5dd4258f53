"""The fork server as a real process, forking real runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tests.trainer.fork_server import Server
from tests.trainer.forked import assert_end
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

LONG = {"train.tokens": 16 * 8 * 1_000_000}
"""A run that does not end while a test looks on."""


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    """A server that the tests of a module share."""
    started = Server(root)
    yield started
    started.close()


@pytest.fixture
def own_server(root: Path) -> Iterator[Server]:
    """A server that a test may kill."""
    started = Server(root)
    yield started
    started.close()


def start(run: RunDirectory, environment: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "start": str(run.path),
        "attempt": 1,
        "device": "cpu",
        "threads": 1,
        "environment": environment or {},
    }


def terminate(run: RunDirectory) -> dict[str, Any]:
    return {"signal": str(run.path), "number": int(signal.SIGTERM)}


def test_a_run_is_started_and_its_end_is_reported(
    server: Server, make_run: Callable[..., RunDirectory]
) -> None:
    run = make_run("run")
    server.say(start(run))
    started = server.read("started")
    assert started["started"] == str(run.path)
    assert started["pid"] != server.process.pid
    ended = server.read("ended")
    peak = ended.pop("peak_bytes")
    expected = {"ended": str(run.path), "status": 0, "signal": None, "out_of_memory": None}
    assert ended == expected
    assert 2**25 < peak < 2**34
    result = run.read_result()
    assert result
    assert result.state == "done"
    assert result.provenance["threads"] == 1
    assert run.log.read_text() == ""


def test_a_forked_run_ends_with_the_loss_of_a_fresh_process(
    root: Path, server: Server, make_run: Callable[..., RunDirectory]
) -> None:
    forked, fresh = make_run("forked"), make_run("fresh")
    server.say(start(forked))
    command = [sys.executable, "-m", "sweep", "train", str(fresh.path), "--threads", "1"]
    subprocess.run(command, cwd=root, check=True, timeout=PATIENCE)
    server.read("started")
    server.read("ended")
    one, other = forked.read_result(), fresh.read_result()
    assert one
    assert other
    assert one.chunk_losses == other.chunk_losses


def test_runs_train_at_the_same_time(server: Server, make_run: Callable[..., RunDirectory]) -> None:
    long, short = make_run("long", LONG), make_run("short")
    server.say(start(long), start(short))
    assert server.read("started")["started"] == str(long.path)
    assert server.read("started")["started"] == str(short.path)
    assert server.read("ended")["ended"] == str(short.path)
    server.say(terminate(long))
    assert server.read("ended")["ended"] == str(long.path)


def test_sigterm_stops_a_run_at_its_next_step_without_a_result(
    server: Server,
    make_run: Callable[..., RunDirectory],
    wait_for_training: Callable[[RunDirectory], None],
) -> None:
    run = make_run("run", LONG)
    server.say(start(run))
    server.read("started")
    wait_for_training(run)
    server.say(terminate(run))
    ended = server.read("ended")
    assert (ended["status"], ended["signal"]) == (143, None)
    assert run.read_result() is None
    assert run.last_log_line() == ""


def test_sigterm_before_the_run_has_begun_stops_it_without_killing_it(
    server: Server, make_run: Callable[..., RunDirectory]
) -> None:
    for attempt in range(5):
        run = make_run(f"run-{attempt}", LONG)
        server.say(start(run), terminate(run))
        server.read("started")
        ended = server.read("ended")
        assert (ended["status"], ended["signal"]) == (143, None)


def test_a_killed_run_is_reported_with_its_signal(
    server: Server, make_run: Callable[..., RunDirectory]
) -> None:
    run = make_run("run", LONG)
    server.say(start(run))
    os.kill(server.read("started")["pid"], signal.SIGKILL)
    ended = server.read("ended")
    assert (ended["status"], ended["signal"]) == (None, signal.SIGKILL)


def test_a_signal_for_a_run_that_has_ended_is_ignored(
    server: Server, make_run: Callable[..., RunDirectory]
) -> None:
    run, other = make_run("run"), make_run("other")
    server.say(start(run))
    server.read("started")
    server.read("ended")
    server.say(terminate(run), start(other))
    assert server.read("started")["started"] == str(other.path)
    assert server.read("ended")["status"] == 0


def test_a_directory_without_a_recipe_fails_with_a_message_in_its_log(
    server: Server, make_run: Callable[..., RunDirectory]
) -> None:
    run = make_run("run")
    run.recipe.unlink()
    server.say(start(run))
    server.read("started")
    assert server.read("ended")["status"] == 1
    assert run.log.read_text() == (
        f"{run.recipe} cannot be read (No such file or directory); "
        "a run directory holds a recipe.json that says what to train\n"
    )


def test_the_environment_of_a_request_reaches_its_run(
    server: Server, make_run: Callable[..., RunDirectory], tmp_path: Path
) -> None:
    # The run asks for GPT-2's vocabulary through the proxy that it was given: this test.
    run = make_run("run", {"data.tokenizer": "gpt2"})
    run.write_request(run.read_request().model_copy(update={"corpus_hash": None}))
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(PATIENCE)
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environment = {
            "HTTPS_PROXY": address,
            "https_proxy": address,
            "NO_PROXY": "",
            "no_proxy": "",
        }
        server.say(start(run, {**environment, "TIKTOKEN_CACHE_DIR": str(tmp_path / "empty")}))
        connection, _ = proxy.accept()
        connection.close()
    server.read("started")
    assert server.read("ended")["status"] == 1
    assert run.last_log_line().startswith("data.tokenizer = 'gpt2' needs GPT-2's vocabulary")


@pytest.mark.slow
@pytest.mark.parametrize("end", ["its input is closed", "it is killed"])
def test_the_runs_of_a_server_end_when(
    end: str,
    own_server: Server,
    make_run: Callable[..., RunDirectory],
    wait_for_training: Callable[[RunDirectory], None],
) -> None:
    if end == "it is killed" and sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent died")
    run = make_run("run", LONG)
    own_server.say(start(run))
    pid = own_server.read("started")["pid"]
    wait_for_training(run)
    if end == "it is killed":
        own_server.process.kill()
    else:
        assert own_server.process.stdin
        own_server.process.stdin.close()
    assert_end([pid])
    own_server.process.wait(timeout=PATIENCE)
    assert run.read_result() is None


WIDE = {**LONG, "model.width": 1024, "model.heads": 4}
"""A model of 12 million parameters, which take 200 MB with gradients and moments."""


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A control group of the kernel's own, which this test may limit."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    ours = [line.split(":", 2)[2] for line in lines if line.split(":")[1] == "memory"]
    group = Path("/sys/fs/cgroup/memory", *(path.lstrip("/") for path in ours), "sweep-test")
    group = group.with_name(f"sweep-test-{os.getpid()}")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no memory control group (version 1) can be made here: {error.strerror}")
    yield group
    until = time.monotonic() + PATIENCE
    while (group / "cgroup.procs").read_text() and time.monotonic() < until:
        time.sleep(0.02)
    group.rmdir()


@pytest.mark.slow
def test_an_oom_kill_is_distinguished_from_another_sigkill(
    root: Path, memory_group: Path, make_run: Callable[..., RunDirectory]
) -> None:
    server = Server(root, memory_group)
    try:
        used = int((memory_group / "memory.usage_in_bytes").read_text())
        (memory_group / "memory.limit_in_bytes").write_text(str(used + 2**26))
        wide, narrow = make_run("wide", WIDE), make_run("narrow", LONG)
        server.say(start(wide))
        server.read("started")
        ended = server.read("ended")
        assert (ended["signal"], ended["out_of_memory"]) == (signal.SIGKILL, True)
        assert 2**26 < ended["peak_bytes"] < used + 2**28
        server.say(start(narrow))
        os.kill(server.read("started")["pid"], signal.SIGKILL)
        ended = server.read("ended")
        assert (ended["signal"], ended["out_of_memory"]) == (signal.SIGKILL, False)
    finally:
        server.close()


LIMITED = """
import resource, sys
from pathlib import Path
from trainer.processes.forkserver import preload_gpt
from trainer.processes.run import train_directory

preload_gpt()
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**26, taken + 2**26))
sys.exit(train_directory(Path(sys.argv[1]), "cpu", 1))
"""
"""Trains in a process that is given 64 MB of addresses beyond those that it has."""


@pytest.mark.slow
def test_a_refused_allocation_ends_a_run_with_its_own_status_and_message(
    root: Path, make_run: Callable[..., RunDirectory]
) -> None:
    run = make_run("run", WIDE)
    command = [sys.executable, "-c", LIMITED, str(run.path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == Exit.OUT_OF_MEMORY
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("out of memory: an allocation was refused (")
    assert last.endswith(
        "and the kernel killed nothing; set a smaller jobs.micro_batch, use a smaller model, or "
        "raise the limit (ulimit -v)"
    )
