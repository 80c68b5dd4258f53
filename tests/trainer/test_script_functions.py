"""A Python function as a run: its process, its modules, its metrics and its failures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.fork_server import Server
from tests.trainer.scripts import Script
from trainer.rundir.exits import Exit

Called = Callable[..., tuple[dict[str, Any], Script]]
DEF = "def train(parameters, seed, run_dir, report):\n    "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"), preload="numpy")
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def call(server: Server, tmp_path: Path) -> Called:
    """Calls a function of `fit.py` as a run; returns how its process ended, and the run."""

    def run(
        text: str,
        environment: Mapping[str, str] | None = None,
        **changes: Any,  # noqa: ANN401  (fields of a request)
    ) -> tuple[dict[str, Any], Script]:
        (tmp_path / "fit.py").write_text(text)
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        fields = {
            "command": None,
            "function": "fit:train",
            "folder": str(tmp_path),
            "parameters": {"lr": 0.5},
            "metrics": {"val_loss": {}},
            **changes,
        }
        script = Script(server, place, **fields)
        return script.run(**(environment or {})), script

    return run


def metrics(called: tuple[dict[str, Any], Script]) -> dict[str, float]:
    ended, script = called
    assert ended["status"] == Exit.DONE, script.log
    return script.result.metrics


def test_a_function_gets_parameters_seed_and_folder_and_returns_metrics(call: Called) -> None:
    text = f"""{DEF}(run_dir / "made").touch()
    assert run_dir.name == "output" and run_dir.is_absolute()
    return {{"val_loss": parameters["lr"] + seed, "unknown": "x"}}"""
    assert metrics(call(text)) == {"val_loss": 3.5}
    streams = call(f"{DEF}return {{'val_loss': seed['init']}}", seeds={"init": 1, "data": 2})
    assert metrics(streams) == {"val_loss": 1.0}


def test_arrays_and_tensors_of_one_number_are_numbers(call: Called) -> None:
    text = f"import numpy\n{DEF}report(1, val_loss=numpy.float32(2))\n    return {{'val_loss': numpy.ones(())}}"
    called = call(text)
    assert metrics(called) == {"val_loss": 1.0}
    assert called[1].curve() == {1: 2.0}


def test_what_is_reported_counts_where_nothing_is_returned_for_it(call: Called) -> None:
    assert metrics(call(f"{DEF}report(5, val_loss=2)\n    return {{}}")) == {"val_loss": 2.0}


def test_nan_is_a_divergence(call: Called) -> None:
    _, script = call(f"{DEF}return {{'val_loss': float('nan')}}")
    assert (script.result.state, script.result.cause) == ("diverged", "val_loss is not a number")


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (f"{DEF}raise ValueError('lr is too high')", Exit.FAILED, "ValueError: lr is too high"),
        (f"{DEF}raise KeyError('a\\nb')", Exit.FAILED, "KeyError: 'a\\nb'"),
        (f"{DEF}raise RuntimeError('a\\nb')", Exit.FAILED, "RuntimeError: a b"),
        (f"{DEF}raise MemoryError", Exit.OUT_OF_MEMORY, "MemoryError"),
        (f"import sys\n{DEF}sys.exit(0)", Exit.FAILED, "the function ended its process with sys.exit(0)"),
        (f"import os\n{DEF}os._exit(0)", Exit.FAILED, "the function ended its process before it returned"),
        (f"{DEF}return None", Exit.REFUSED, "fit:train returned nothing, but must return a mapping of metrics, such as {'val_loss': 3.2}"),
        (f"{DEF}return 3.2", Exit.REFUSED, "fit:train returned a number, but must return a mapping of metrics, such as {'val_loss': 3.2}"),
        (f"{DEF}return {{'valloss': 1, 'x': 2}}", Exit.REFUSED, "fit:train returned no 'val_loss', only 'valloss', 'x'; did you mean 'valloss'?"),
        (f"{DEF}return {{'val_loss': '3.2'}}", Exit.REFUSED, "fit:train returned a text for 'val_loss', which must be a number"),
        (f"{DEF}report(1, val_loss='x')", Exit.FAILED, "TypeError: report(1, val_loss=...) got a text, and a metric is a number"),
        ("def trian(a, b, c, d): ...", Exit.REFUSED, "fit has no function 'train'; did you mean 'trian'?"),
        ("train = 3", Exit.REFUSED, "fit:train is no function, but a int"),
        ("import absent_module", Exit.REFUSED, "fit cannot be imported from {folder}: ModuleNotFoundError: No module named 'absent_module'"),
        ("raise ValueError('x')", Exit.REFUSED, "fit cannot be imported from {folder}: ValueError: x"),
        ("def train(lr): ...", Exit.REFUSED, "fit:train is declared as train(lr), but is called as train(parameters, seed, run_dir, report): too many positional arguments"),
    ],
)  # fmt: skip
def test_a_failure_is_one_sentence_at_the_end_of_the_log(
    call: Called, tmp_path: Path, text: str, status: Exit, said: str
) -> None:
    ended, script = call(text)
    assert (ended["status"], script.reason) == (status, said.replace("{folder}", str(tmp_path)))
    assert script.directory.read_result() is None
    if "raise ValueError" in text:
        assert "Traceback" in script.log


def test_names_of_ours_are_the_users_in_its_process(call: Called, tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    files = ["model.py", "analysis.py", "sweep.py", "trainer/__init__.py", "trainer/files.py"]
    for name in [*files, "pydantic.py"]:
        (tmp_path / name).write_text(f"WHO = {name!r}")
    text = f"""import model, analysis, sweep, trainer, trainer.files, pydantic
{DEF}found = [each.WHO for each in (model, analysis, sweep, trainer, trainer.files, pydantic)]
    print(found)
    return {{"val_loss": len(set(found))}}"""
    assert metrics(call(text)) == {"val_loss": 6.0}


def test_the_process_of_a_function_is_like_that_of_a_program(call: Called, tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text("def double(x):\n    return 2 * x\n")
    text = f"""import multiprocessing, os, signal, sys, worker
{DEF}assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert os.getcwd() == sys.path[0] == {str(tmp_path)!r}
    assert os.environ["SWEEP_SEED"] == "3" and os.environ["MINE"] == "yes"
    with multiprocessing.get_context(parameters["method"]).Pool(1) as pool:
        return {{"val_loss": pool.map(worker.double, [21])[0]}}"""
    for method in ("fork", "spawn"):
        called = call(text, {"MINE": "yes"}, parameters={"method": method})
        assert metrics(called) == {"val_loss": 42.0}


def test_a_signal_that_ends_the_function_is_seen(call: Called) -> None:
    ended, script = call(f"import os\n{DEF}os.kill(os.getpid(), 9)")
    assert ended["signal"] == 9
    assert script.directory.read_result() is None


def test_a_function_that_is_asked_to_stop_is_stopped_with_all_that_it_has_started(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "fit.py").write_text(
        f"import subprocess, time\n{DEF}subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "    (run_dir / 'begun').touch()\n    time.sleep(1000)"
    )
    fields = {"command": None, "function": "fit:train", "folder": str(tmp_path)}
    script = Script(server, tmp_path / "place", **fields)
    script.start()
    script.wait_for("begun")
    script.signal(15)
    assert script.end()["status"] == Exit.STOPPED
    assert script.processes() == []


def test_each_call_has_fresh_modules(call: Called) -> None:
    text = f"CALLS = []\n{DEF}CALLS.append(1)\n    return {{'val_loss': len(CALLS)}}"
    assert [metrics(call(text)) for _ in range(2)] == [{"val_loss": 1.0}] * 2


def test_what_the_function_registered_for_its_end_is_done(call: Called) -> None:
    text = f"import atexit\n{DEF}atexit.register(lambda: (run_dir / 'end').touch())\n    return {{'val_loss': 1}}"
    called = call(text)
    assert metrics(called) == {"val_loss": 1.0}
    assert (called[1].outputs.folder / "end").exists()


def test_python_path_comes_before_installed_packages(call: Called, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tokenizers.py").write_text("WHO = 7")
    path = os.pathsep.join([str(tmp_path / "mine"), os.environ["PYTHONPATH"]])
    text = f"import tokenizers\n{DEF}return {{'val_loss': tokenizers.WHO}}"
    assert metrics(call(text, environment={"PYTHONPATH": path})) == {"val_loss": 7.0}
