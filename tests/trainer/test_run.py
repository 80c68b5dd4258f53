from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

LIGHT = [
    "recipe",
    "recipe_forms",
    "rundir.directory",
    "rundir.exits",
    "corpora.corpus",
    "errors",
    "files",
    "processes.run",
]
HEAVY = {"torch", "tiktoken", "datasets", "pandas", "scipy"}


@pytest.fixture
def train(root: Path) -> Callable[[Path], subprocess.CompletedProcess[str]]:
    """Runs `sweep train RUN_DIR` to its end."""

    def run(directory: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sweep", "train", str(directory), "--threads", "1"]
        return subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    return run


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A shell starts what it puts in the background with Ctrl-C ignored, and a run respects that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_run_between_two_steps_with_a_checkpoint_and_without_a_result(
    number: signal.Signals,
    root: Path,
    make_run: Callable[..., RunDirectory],
    wait_for_training: Callable[[RunDirectory], None],
) -> None:
    run = make_run("run", {"train.tokens": 16 * 8 * 1_000_000})
    command = [sys.executable, "-m", "sweep", "train", str(run.path), "--threads", "1"]
    process = subprocess.Popen(command, cwd=root)
    try:
        wait_for_training(run)
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE) == Exit.STOPPED == 143
    finally:
        process.kill()
        process.wait()
    assert run.read_result() is None
    assert len(list(run.checkpoints.glob("step-*"))) == 1


@pytest.mark.slow
def test_a_diverged_run_is_done_and_has_a_result(
    make_run: Callable[..., RunDirectory],
    train: Callable[[Path], subprocess.CompletedProcess[str]],
) -> None:
    run = make_run("run", {"optimizer.learning_rate": 1e3})
    finished = train(run.path)
    assert (finished.returncode, finished.stderr) == (Exit.DONE, "")
    result = run.read_result()
    assert result
    assert result.state == "diverged"


@pytest.mark.slow
def test_a_run_with_a_result_is_reported_and_not_trained_again(
    make_run: Callable[..., RunDirectory],
    train: Callable[[Path], subprocess.CompletedProcess[str]],
) -> None:
    run = make_run("run", keep="weights")
    assert train(run.path).returncode == Exit.DONE
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    result = run.read_result()
    assert result
    again = train(run.path)
    assert (again.returncode, again.stderr) == (Exit.DONE, "")
    assert again.stdout == (
        f"{run.path} has a result already: test loss {result.test_loss:.4f} nats per token; nothing to "
        f"train. Remove {run.result} to train it again.\n"
    )
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_a_run_prints_its_recipe_its_progress_and_its_test_loss(
    make_run: Callable[..., RunDirectory],
    train: Callable[[Path], subprocess.CompletedProcess[str]],
) -> None:
    run = make_run("run")
    steps, recipe = run.read_request().recipe.steps, run.read_request().recipe
    first, *others, last = train(run.path).stdout.splitlines()
    assert first.startswith(f"Training {run.path} on cpu (")
    assert f"): {steps} steps of {recipe.tokens_per_step} tokens of python-stdlib (" in first
    progress = re.compile(r"step (\d+) of (\d+), loss \d\.\d{4}, [\d,]+ tokens/s")
    found = [progress.fullmatch(line) for line in others]
    assert [match and (int(match[1]), int(match[2])) for match in found] == [
        (1, steps),
        (steps, steps),
    ]
    result = run.read_result()
    assert result
    assert last == (
        f"Finished: test loss {result.test_loss:.4f} nats per token. The result is in {run.result}."
    )


@pytest.mark.slow
def test_a_missing_directory_is_reported_with_one_message(
    tmp_path: Path, train: Callable[[Path], subprocess.CompletedProcess[str]]
) -> None:
    finished = train(tmp_path / "gone")
    assert finished.returncode == Exit.FAILED
    assert finished.stderr == (
        f"{tmp_path / 'gone' / 'recipe.json'} cannot be read (No such file or directory); "
        "a run directory holds a recipe.json that says what to train\n"
    )


@pytest.mark.slow
def test_a_recipe_for_another_corpus_is_refused(
    make_run: Callable[..., RunDirectory],
    train: Callable[[Path], subprocess.CompletedProcess[str]],
) -> None:
    run = make_run("run")
    request = json.loads(run.recipe.read_bytes())
    run.recipe.write_text(json.dumps({**request, "corpus_hash": "a" * 64}))
    finished = train(run.path)
    assert finished.returncode == Exit.FAILED
    assert finished.stderr.startswith(
        f"{run.recipe} is meant for the python-stdlib corpus aaaaaaaaaaaaaaaa, "
        "but this machine has "
    )
    assert finished.stderr.count("\n") == 1


def test_modules_that_sweep_imports_import_no_heavy_package(root: Path) -> None:
    code = "import sys; " + "".join(f"import trainer.{name}; " for name in LIGHT)
    finished = subprocess.run(
        [sys.executable, "-c", code + "print(*sys.modules)"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not HEAVY & set(finished.stdout.split())
