"""Overhead of orchestration: time from claim to first step, and use of the slots.

    python benchmarks/overhead.py [--only scripts]

Trains a study with `sweep run` in a folder of its own, reads the times that were recorded, and
then starts `sweep train` afresh on some of the same recipes, alternating with forked ones. At the
end it measures how many runs a second scripts have that do nothing; with `--only scripts`, only this.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import select

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

from statistics import median

from benchmarks.script_overhead import measure, print_overhead
from sweep.executors.local import LocalExecutor
from sweep.executors.slots import find_slots
from sweep.store.schema import attempts, runs
from sweep.store.store import Store
from sweep.store.url import store_url
from trainer.rundir.directory import RunDirectory

ROUNDS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = ROOT / "studies" / "interventions.toml"
    parser.add_argument("study", type=Path, nargs="?", default=default)
    parser.add_argument("--only", choices=["gpt", "scripts"], help="measure one of the trainers")
    options = parser.parse_args()
    if options.only != "scripts":
        _measure_gpt(options.study.resolve())
    if options.only != "gpt":
        with tempfile.TemporaryDirectory() as name:
            print_overhead(measure(Path(name)))


def _measure_gpt(study: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sweep", "run", str(study), "--runs", str(folder)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        print(f"sweep run {study.name}: {time.perf_counter() - began:.1f} s as a whole")
        _print_recorded(folder)
        _print_alternating(folder)


def _print_recorded(folder: Path) -> None:
    with Store(store_url(None, folder)).begin() as connection:
        query = (
            select(attempts.c.claimed, runs.c.first_step, runs.c.finished)
            .join(attempts, attempts.c.run_id == runs.c.id)
            .where(runs.c.state == "done")
        )
        times = connection.execute(query).all()
    waits = sorted(run.first_step - run.claimed for run in times)
    span = max(run.finished for run in times) - min(run.first_step for run in times)
    training = sum(run.finished - run.first_step for run in times)
    slots = len(find_slots())
    print(
        f"claim to first training step, {len(waits)} runs: median {median(waits):.3f} s, "
        f"largest {waits[-1]:.3f} s"
    )
    print(
        f"slots busy training or evaluating between the first run's start and the last one's end: "
        f"{training / (span * slots):.1%} of {slots} slots × {span:.1f} s"
    )


def _print_alternating(folder: Path) -> None:
    """The same recipe forked and afresh, in turn: seconds until its first training step."""
    source = next(path for path in folder.iterdir() if (path / "recipe.json").exists())
    slot = find_slots()[0]
    executor = LocalExecutor([slot])
    executor.prepare()
    forked, afresh = [], []
    try:
        for index in range(ROUNDS):
            forked.append(_forked(executor, _short_copy(source, folder / f"a{index}"), slot.name))
            afresh.append(_afresh(_short_copy(source, folder / f"b{index}"), slot.threads))
    finally:
        executor.close()
    for name, seconds in (("forked from the server", forked), ("sweep train", afresh)):
        spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
        print(f"{name:<24} first step after {median(seconds):.3f} s ({spread}, {ROUNDS} runs)")
    ratios = [b / a for a, b in zip(forked, afresh, strict=True)]
    print(f"ratio, pair by pair: {median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})")


def _short_copy(source: Path, target: Path) -> RunDirectory:
    """The same recipe with a budget of a few steps."""
    content = json.loads((source / "recipe.json").read_text())
    content["recipe"].setdefault("train", {})["tokens"] = 20_000
    target.mkdir()
    (target / "recipe.json").write_text(json.dumps(content))
    return RunDirectory(target)


def _forked(executor: LocalExecutor, directory: RunDirectory, slot: str) -> float:
    began = time.time()
    executor.start(directory.path, slot, 1)
    while not executor.wait(60):
        pass
    return _first_step(directory) - began


def _afresh(directory: RunDirectory, threads: int) -> float:
    began = time.time()
    command = [
        sys.executable,
        "-m",
        "sweep",
        "train",
        str(directory.path),
        "--threads",
        str(threads),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return _first_step(directory) - began


def _first_step(directory: RunDirectory) -> float:
    result = directory.read_result()
    if result is None:
        raise SystemExit(f"{directory.path}: {directory.last_log_line()}")
    return result.first_step


if __name__ == "__main__":
    main()
