"""Small versions of what `benchmarks/load.py` measures at full size."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import load
from benchmarks.wide_store import fill

pytestmark = pytest.mark.nightly

Run = Callable[..., subprocess.CompletedProcess[str]]
MEGABYTE = 1e6
SMALL = "--scale 0.002 --rounds 1"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A study of that many finished runs in each folder, a hundred to an arm."""
    folders = {number: tmp_path_factory.mktemp("store") for number in (200, 4000)}
    for number, folder in folders.items():
        fill(folder, number, wide=number)
    return folders


@pytest.mark.parametrize(("name", "most"), [("status", 1000), ("list", 300), ("report", 4000)])
def test_another_finished_run_costs_so_many_bytes(
    stores: dict[int, Path], name: str, most: int
) -> None:
    peaks = {
        number: load.command(["-m", "sweep", name, "--runs", str(folder)])[1]
        for number, folder in stores.items()
    }
    assert (peaks[4000] - peaks[200]) / 3800 < most + 2 * MEGABYTE / 3800


def test_every_part_is_measured_and_every_figure_printed(
    tmp_path: Path, sweep: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(words: list[str]) -> tuple[float, int, float]:
        """Run a command as `load.command` does, in a process that has the imports already."""
        done = sweep(tmp_path, *words[2:])
        assert done.returncode == 0, done.stderr
        return 0.5, 100_000_000, 0.25

    monkeypatch.setattr(load, "command", run)
    monkeypatch.setattr("sys.argv", ["load.py", *SMALL.split()])
    with pytest.raises(SystemExit) as end:
        load.main()
    assert not end.value.code
    said = capsys.readouterr().out
    for figure in (
        r"200 finished runs in ten studies: [\d.]+ GB, written in \d+ s\n",
        r"  sweep status: [\d.]+ s, of which [\d.]+ s of CPU time; \d+ MB at its peak\n",
        r"20 runs inline, 64 slots: \d+ \(\d+ to \d+\) a second\n",
        r"Optuna, RDB storage in SQLite, 2 processes: \d+ \(\d+ to \d+\) a second\n",
        r"2 runs in a process each, 64 slots: \d+ \(\d+ to \d+\) a second\n",
        r"a study of 10 arms:\n  sweep plan: [\d.]+ s, of which ",
        r"kept: megabytes of sweep status, runs in one study is \d+\.\d\d, promised at most 500",
        r"(kept|NOT KEPT): runs a second in a process each is \d+",
    ):
        assert re.search(figure, said), (figure, said)
