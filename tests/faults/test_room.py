"""The forecast of disk space is close to the space that a study takes."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweep.forecast.disk_space import CHECKPOINTS_AT_ONCE, DiskSpace
from sweep.machine.disk import size_of
from sweep.reports.forecast_text import disk_warning
from tests.disks import small_disk
from tests.faults.terminal import Terminal, end, send, steps, trainers, wait_for
from trainer.training.checkpoint import KEPT

pytestmark = pytest.mark.slow

Open = Callable[..., Terminal]


@pytest.mark.nightly
def test_a_study_takes_about_the_disk_space_that_the_plan_forecasts(open_terminal: Open) -> None:
    terminal = open_terminal()
    said = json.loads(terminal.sweep("plan", "s.toml", "--slots", "1", "--format", "json"))["disk"]
    run, runs = terminal.run("baseline"), terminal.folder / "runs"
    command = terminal.start("run", "s.toml", "--slots", "1")
    wait_for(lambda: steps(run) >= 5, command)
    (pid,) = trainers(run)
    send(pid, signal.SIGSTOP)  # or it might end before it is asked to stop
    command.terminate()
    send(pid, signal.SIGCONT)
    end(command, status=130)
    written = [size_of(path) for path in run.checkpoints.iterdir()]
    assert 1 <= said["checkpoints"] / (CHECKPOINTS_AT_ONCE * max(written)) * 1.2 <= 1.5
    assert CHECKPOINTS_AT_ONCE == KEPT + 1
    assert "3/3" in terminal.sweep("run", "s.toml")
    weights = sum(size_of(path) for path in runs.glob("*/weights.safetensors"))
    tokens = sum(size_of(path) for path in runs.glob("cache/*/t*.bin"))
    assert 1 <= weights / said["weights"] <= 1.1
    assert tokens == said["tokens"]
    records = size_of(runs) - weights - tokens
    assert 1 / 3 <= said["records"] / records <= 3
    again = json.loads(terminal.sweep("plan", "s.toml", "--format", "json"))["disk"]
    assert again == {**dict.fromkeys(said, 0), "free": again["free"]}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for the study, but not for all of its checkpoints."""
    folder = tmp_path / "study" / "runs"
    folder.mkdir(parents=True)
    with small_disk(folder, 40 * 2**20) as made:
        yield made


@pytest.mark.usefixtures("disk")
def test_plan_and_run_warn_with_needed_and_free_space_if_the_disk_may_be_too_small(
    open_terminal: Open,
) -> None:
    terminal = open_terminal("", steps=20)
    wide = ("s.toml", "--slots", "1", "--override", "model.width=256")
    for out in (terminal.sweep("plan", *wide), terminal.sweep("run", *wide)):
        (line,) = [line for line in out.splitlines() if line.startswith("The disk may be")]
        assert re.fullmatch(
            r"The disk may be too small: the study needs up to 4\d.\d MB in runs \(weights "
            r"1\d.\d MB, checkpoints 3\d.\d MB, token files 436.5 kB, records \d+.\d kB\), and "
            r"4\d.\d MB are free; free \d.\d MB \(`sweep gc --dry-run` lists what can be deleted\), choose "
            'another folder with --runs DIR, or set jobs.keep = "nothing" to keep no weights.',
            line,
        )
    assert "too small" not in terminal.sweep("plan", "s.toml")


@pytest.mark.parametrize(
    ("free", "words"),
    [(10, None), (9, "needs up to 10 bytes"), (9, "9 bytes are free; free 1 byte ")],
)
def test_the_warning_comes_only_if_a_byte_is_missing(
    tmp_path: Path, free: int, words: str | None
) -> None:
    disk = DiskSpace(weights=1, checkpoints=2, tokens=3, records=4, free=free)
    warning = disk_warning(disk, tmp_path)
    assert (warning is None) == (words is None)
    assert (words or "") in (warning or "")
