"""Load of store and queue: 100,000 finished runs, 10,000 queued runs, 5,000 arms.

    python benchmarks/load.py            # everything, in a folder of its own: about ten minutes
    python benchmarks/load.py queue      # or one of store, queue, forked, plan
    python benchmarks/load.py --scale 0.01

The queued runs take no step: a trainer that does nothing is called inline, or in one forked process
each. Optuna's RDB storage, in turns with it, counts trials that do nothing in two processes. Ends with the promises.
The best of several rounds counts, because other work on a machine only makes a round slower.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

from statistics import median

from benchmarks.noop_server import train_nothing
from benchmarks.promises import Promise
from benchmarks.wide_store import fill
from sweep.executors.base import Executor
from sweep.executors.fork_server import Server
from sweep.executors.inline import InlineExecutor
from sweep.executors.local import LocalExecutor
from sweep.executors.slots import Slot
from sweep.progress.plain import PlainProgress
from sweep.queue.queue import Queue
from sweep.running.scheduler import Scheduler
from sweep.running.settings import Settings
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.study.jobs_section import Jobs
from sweep.trainers.builtin import GptRun
from sweep.workload.job import Job
from trainer.recipe import Recipe

SLOTS = 64
OWNER = "load:1:1"
STUDY = """\
name = "wide"
[baseline.evaluation]
chunks = 64
chunk_tokens = 1024
[design]
seeds = 5
[analysis]
smallest_effect = 0.01
"""
TRIALS = """
import sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="s", storage=sys.argv[1])
study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=int(sys.argv[2]))
"""
"""One of the two processes that work on an Optuna study."""
STARTER = """
import os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
if status:
    sys.exit(f"{sys.argv[1:]} ended with {os.waitstatus_to_exitcode(status)}")
busy = usage.ru_utime + usage.ru_stime
print(time.perf_counter() - began, usage.ru_maxrss * 1024, busy)
"""
"""A small process that starts a command, so that the command's peak memory is its own."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="which; all if left out")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--rounds", type=int, default=5, help="measurements; medians are printed")
    parser.add_argument("--check", action="store_true", help="fail when a promise is not kept")
    words = parser.parse_args()
    promises: list[Promise] = []
    for name in words.part or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            promises += PARTS[name](Path(folder), words.scale, words.rounds)
    print(*(promise.text() for promise in promises), sep="\n")
    sys.exit(words.check and not all(promise.kept for promise in promises))


def measure_store(folder: Path, scale: float, rounds: int) -> list[Promise]:
    """`sweep status` and `report` of a study of a tenth of all runs, and of one that has them all."""
    number, promises = round(100_000 * scale), []
    for name, wide in (("in ten studies", number // 10), ("in one study", number)):
        place = folder / name.replace(" ", "-")
        began = time.perf_counter()
        fill(place, number, wide, seeds=min(100, wide // 2))
        size = (place / "sweep.db").stat().st_size / 1e9
        filled = time.perf_counter() - began
        print(f"{number:,} finished runs {name}: {size:.2f} GB, written in {filled:.0f} s")
        for words in ("status", "report", "report --format json"):
            called = [*words.split(), "--runs", str(place)]
            promises += _print_command(words, called, rounds, f"{words}, runs {name}", 2, 500)
    return promises


def command(words: list[str]) -> tuple[float, int, float]:
    """Run a command in its own process: seconds, peak bytes, seconds of CPU time."""
    started = [sys.executable, "-S", "-c", STARTER, sys.executable, *words]
    done = subprocess.run(started, cwd=ROOT, check=True, capture_output=True, text=True)
    seconds, peak, busy = done.stdout.split()
    return float(seconds), int(peak), float(busy)


def _print_command(
    name: str, words: list[str], times: int, what: str, most_seconds: float, most_megabytes: float
) -> list[Promise]:
    """Run a command of ours several times and print what it takes."""
    seconds, peaks, busy = zip(
        *(command(["-m", "sweep", *words]) for _ in range(times)), strict=True
    )
    print(
        f"  sweep {name}: {median(seconds):.2f} s, of which {median(busy):.2f} s of CPU time; "
        f"{max(peaks) / 1e6:.0f} MB at its peak"
    )
    return [
        Promise(f"seconds of sweep {what}", most_seconds, min(seconds), at_most=True),
        Promise(f"megabytes of sweep {what}", most_megabytes, max(peaks) / 1e6, at_most=True),
    ]


def measure_queue(folder: Path, scale: float, rounds: int) -> list[Promise]:
    """Runs of a trainer that does nothing, called inline, and Optuna's trials in turns with them."""
    each, trials = max(1, round(10_000 * scale / rounds)), max(1, round(30 * scale))
    optuna = f"sqlite:///{folder}/optuna.db"
    made = "import sys, optuna; optuna.create_study(study_name='s', storage=sys.argv[1])"
    subprocess.run([sys.executable, "-c", made, optuna], check=True, capture_output=True)
    jobs = list(_jobs(rounds * each))
    queueing = _queue(folder / "runs", jobs) / rounds
    ours, theirs = [], []
    for number in range(rounds):
        inline = InlineExecutor(train_nothing, slots=SLOTS)
        some = jobs[number * each : (number + 1) * each]
        ours.append(each / (queueing + _run_all(folder / "runs", inline, some)))
        theirs.append(2 * trials / _trials(optuna, trials))
    print(
        f"{len(jobs):,} runs inline, {SLOTS} slots: {_words(ours)} a second\n"
        f"Optuna, RDB storage in SQLite, 2 processes: {_words(theirs)} a second\n"
        f"ratio: {_words([one / other for one, other in zip(ours, theirs, strict=True)])}"
    )
    return [Promise("runs a second inline", 200, max(ours))]


def _jobs(number: int) -> Iterator[Job]:
    for seed in range(number):
        recipe = Recipe.model_validate({"seeds": {"init": seed, "order": seed, "dropout": seed}})
        yield Job(
            run_id=recipe.fingerprint("c" * 64),
            family="f" * 64,
            corpus_hash="c" * 64,
            spec=GptRun(recipe),
        )


def _queue(folder: Path, jobs: list[Job]) -> float:
    """Queue runs; returns the seconds that it took."""
    with Store(store_url(None, folder), create=True) as store:
        began = time.perf_counter()
        Queue(store, OWNER).enqueue(jobs)
        return time.perf_counter() - began


def _run_all(folder: Path, executor: Executor, jobs: list[Job]) -> float:
    """Run all queued runs with a scheduler; returns the seconds that it took."""
    with Store(store_url(None, folder)) as store:
        console = Console(file=io.StringIO())
        watcher = PlainProgress(console, {job.run_id: job.run_id for job in jobs}, len(jobs))
        scheduler = Scheduler(Queue(store, OWNER), executor, folder, watcher, Settings(Jobs()))
        executor.prepare()
        began = time.perf_counter()
        summary = scheduler.run(jobs)
        seconds = time.perf_counter() - began
    if summary.finished != len(jobs):
        raise RuntimeError(f"{summary}")
    return seconds


def _trials(storage: str, number: int) -> float:
    """Seconds that two processes take for so many trials each, without their start."""
    command = [sys.executable, "-c", TRIALS, storage]
    idle = time.perf_counter()
    subprocess.run([*command, "0"], check=True)
    idle = time.perf_counter() - idle
    began = time.perf_counter()
    started = [subprocess.Popen([*command, str(number)]) for _ in range(2)]
    for process in started:
        if process.wait():
            raise RuntimeError("an Optuna process failed")
    return max(time.perf_counter() - began - idle, 1e-3)


def measure_forked(folder: Path, scale: float, rounds: int) -> list[Promise]:
    """The same runs in a forked process each."""
    each = max(1, round(1000 * scale / rounds))
    slots = [Slot(f"place {number}", "cpu", 1) for number in range(SLOTS)]
    server = [sys.executable, str(ROOT / "benchmarks" / "noop_server.py")]
    executor = LocalExecutor(slots, partial(Server, server))
    jobs = list(_jobs(rounds * each))
    queueing = _queue(folder / "runs", jobs) / rounds
    rates = []
    try:
        for number in range(rounds):
            some = jobs[number * each : (number + 1) * each]
            rates.append(each / (queueing + _run_all(folder / "runs", executor, some)))
    finally:
        executor.close()
    print(f"{len(jobs):,} runs in a process each, {SLOTS} slots: {_words(rates)} a second")
    return [Promise("runs a second in a process each", 30, max(rates))]


def measure_plan(folder: Path, scale: float, rounds: int) -> list[Promise]:
    """`sweep plan` of a study with 5,000 arms."""
    number = max(1, round(5000 * scale) - 1)
    lines = [STUDY]
    for arm in range(number):
        rate = 1e-3 + arm * 1e-7
        lines.append(f'[interventions.rate-{arm}]\nbecause = "x"\n')
        lines.append(f'set = {{ "optimizer.learning_rate" = {rate!r} }}\n')
    (folder / "wide.toml").write_text("".join(lines))
    print(f"a study of {number + 1:,} arms:")
    called = ["plan", str(folder / "wide.toml"), "--runs", str(folder / "runs")]
    return _print_command("plan", called, rounds, f"plan, {number + 1:,} arms", 5, 500)


def _words(values: list[float]) -> str:
    return f"{median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


PARTS: dict[str, Callable[[Path, float, int], list[Promise]]] = {
    "store": measure_store,
    "queue": measure_queue,
    "forked": measure_forked,
    "plan": measure_plan,
}

if __name__ == "__main__":
    main()
