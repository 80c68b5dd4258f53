"""Executors of a cluster beside the engine's own bare submission, and beside Ray Tune.

    python benchmarks/executors.py [--engine slurm] [--rounds 5]

Measures runs per second of a command that does nothing (`true`) and of a short training, the seconds
from submission to the first training step, and the share of the places' time without training. All
contenders are measured in turns, two runs at a time, on a Ray cluster or a Slurm of this machine that it
starts. Bare submission is a Ray task per run that calls the same function in Ray's pool of processes, as
Tune's trials do, or a job array of Slurm with a job per run. Tune needs `pip install 'ray[tune]'`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

import ray
from ray import tune

from benchmarks.bare_slurm import a_slurm, by_array, slurm_executor
from benchmarks.rounds import Spread
from sweep.executors.base import Executor
from sweep.executors.fork_server import PRELOAD_GPT, Server
from sweep.executors.local import LocalExecutor
from sweep.executors.ray.executor import RayExecutor
from sweep.executors.ray.settings import RaySettings
from sweep.executors.slots import Slot
from sweep.running.settings import TICK_SECONDS
from trainer.files import write_json
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.rundir.request import Request
from trainer.scripts.request import MetricSource, ScriptRequest

PLACES = 2
"""Runs at the same time."""
RUNS = {"nothing": 40, "training": 6}
SLURM_RUNS = {"nothing": 12, "training": 6}
"""Runs on Slurm, which starts one or two jobs a second on a node."""
TUNE_RUNS = 6
"""Trials of Ray Tune, which takes seconds for each on a busy machine."""
PROMISED = 1.1
"""Time over that of bare submission, at most."""
RECIPE = {
    "data": {"corpus": "python-stdlib", "tokenizer": "bytes"},
    "model": {"layers": 2, "heads": 2, "width": 64, "context": 64},
    "train": {"tokens": 200_000, "batch_size": 16},
    "evaluation": {"chunks": 8, "chunk_tokens": 1024},
}


@dataclass
class Measured:
    """One contender, round by round."""

    seconds: list[float] = field(default_factory=list)
    """Per run, of many runs."""
    first_step: list[float] = field(default_factory=list)
    """Seconds from submission to the first step, of a single run."""
    idle: list[float] = field(default_factory=list)
    """Share of the places' time in which nothing was trained."""


Train = Callable[[Sequence[Path]], None]
"""Makes all runs of some directories, `PLACES` at a time."""


def call(path: str, root: str) -> None:
    """One run without sweep's executors: in a process of Ray's."""
    directory = Path(path)
    if (directory / "run.json").exists():
        subprocess.run(["true"], check=True)  # noqa: S607  (the same command as in the run)
        return
    if root not in sys.path:
        sys.path.insert(0, root)
    from trainer.processes.run import train_directory  # noqa: PLC0415  (in Ray's process only)

    status = train_directory(directory, "cpu", 1)
    if status:
        raise RuntimeError(f"{path}: exit status {status}")


def by_tasks(paths: Sequence[Path]) -> None:
    """Bare submission: a task per run."""
    task = ray.remote(call).options(num_cpus=0, resources={"bare": 1})
    ray.get([task.remote(str(path), str(ROOT)) for path in paths])


def by_tune(paths: Sequence[Path]) -> None:
    """Ray Tune: a trial per run."""

    class Trial(tune.Trainable):
        """A class, because Tune calls functions in a thread, and training takes signals."""

        def step(self) -> dict[str, bool]:
            call(self.config["path"], str(ROOT))
            return {"done": True}

    hidden = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as storage, hidden:
        results = tune.Tuner(
            tune.with_resources(Trial, {"cpu": 0.01}),
            param_space={"path": tune.grid_search([str(path) for path in paths])},
            tune_config=tune.TuneConfig(max_concurrent_trials=PLACES),
            run_config=tune.RunConfig(
                storage_path=storage,
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    if results.errors:
        raise SystemExit(str(results.errors[0]))


def by_executor(executor: Executor, slots: int = PLACES) -> Train:
    """An executor of sweep's, kept busy as the scheduler keeps it."""

    def train(paths: Sequence[Path]) -> None:
        left, busy = list(paths), 0
        while left or busy:
            while left and busy < slots:
                executor.start(left.pop(0), executor.slots[busy], 1)
                busy += 1
            for ended in executor.wait(TICK_SECONDS):
                if ended.status:
                    raise SystemExit(f"{ended.directory}: {ended}")
                busy -= 1

    return train


def make_runs(folder: Path, kind: str, number: int) -> list[Path]:
    """Run directories of one kind in a new folder."""
    made = []
    place = Path(tempfile.mkdtemp(dir=folder))
    for index in range(number):
        directory = RunDirectory(place / str(index))
        directory.path.mkdir()
        if kind == "nothing":
            script = ScriptRequest(
                command=["true"],
                folder=str(folder),
                primary="wall",
                metrics={"wall": MetricSource(wall=True)},
            )
            write_json(directory.script, script.model_dump(exclude_defaults=True))
        else:
            seeds = dict.fromkeys(("init", "order", "dropout"), index + 1)
            recipe = Recipe.model_validate(RECIPE | {"seeds": seeds})
            directory.write_request(Request(recipe=recipe, cache=str(folder / "cache")))
        directory.lock.announce(1)
        made.append(directory.path)
    return made


def measure(folder: Path, kind: str, train: Train, number: int, into: Measured) -> None:
    """Measure one contender once with `number` runs, after runs that warm it up."""
    train(make_runs(folder, kind, PLACES))
    (one,) = make_runs(folder, kind, 1)
    submitted = time.time()
    train([one])
    paths = make_runs(folder, kind, number)
    began = time.time()
    train(paths)
    ended = time.time()
    into.seconds.append((ended - began) / number)
    if kind == "training":
        first = RunDirectory(one).read_result()
        results = [RunDirectory(path).read_result() for path in paths]
        assert first  # noqa: S101  (it was trained)
        into.first_step.append((first.first_step or 0.0) - submitted)
        busy = sum(each.finished - (each.first_step or 0.0) for each in results if each)
        into.idle.append(1 - busy / (PLACES * (ended - began)))


def print_table(kind: str, ours: str, measured: dict[str, Measured]) -> None:
    """Print the figures of one kind of run; the first contender is bare submission."""
    print(f"\n{kind}: {PLACES} runs at a time")
    bare_name = next(iter(measured))
    bare = measured[bare_name].seconds
    for name, found in measured.items():
        rate = Spread.of([1 / seconds for seconds in found.seconds]).text()
        ratio = Spread.of([a / b for a, b in zip(found.seconds, bare, strict=True)]).text()
        line = f"{name:<17} {rate} runs/s, time / that of {bare_name} {ratio}"
        if found.idle:
            line += f", first step after {Spread.of(found.first_step).text()} s"
            line += f", idle {Spread.of([100 * share for share in found.idle]).text(0)}%"
        print(line)
    ratio = Spread.of([a / b for a, b in zip(measured[ours].seconds, bare, strict=True)]).median
    kept = "kept" if ratio <= PROMISED else "NOT kept"
    print(f"promise of at most {PROMISED} times {bare_name}, {kind}: {ratio:.2f}, {kept}")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", choices=["ray", "slurm"], default="ray")
    parser.add_argument("--only", choices=[*RUNS], help="measure one kind of run")
    options = parser.parse_args()
    kinds = [options.only] if options.only else [*RUNS]
    with tempfile.TemporaryDirectory() as name:
        (on_slurm if options.engine == "slurm" else on_ray)(Path(name), kinds, options.rounds)


def on_ray(folder: Path, kinds: Sequence[str], rounds: int) -> None:
    """Measure on a Ray cluster of this machine."""
    os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"})
    ray.init(
        address="local",
        num_cpus=8,
        resources={"bare": PLACES},
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
    )
    address = ray.get_runtime_context().gcs_address
    for kind in kinds:
        preload = PRELOAD_GPT if kind == "training" else ()
        settings = RaySettings(address=address, folder=str(folder), slots=PLACES, preload=preload)
        executor = RayExecutor(settings)
        while not executor.slots:
            executor.wait(1.0)
        with contextlib.closing(executor), contextlib.closing(local(preload)) as here:
            contenders: dict[str, tuple[Train, int]] = {
                "bare Ray tasks": (by_tasks, RUNS[kind]),
                "ray": (by_executor(executor), RUNS[kind]),
                "local": (by_executor(here), RUNS[kind]),
                "Ray Tune": (by_tune, TUNE_RUNS),
            }
            print_table(kind, "ray", in_turns(folder, kind, contenders, rounds))
    ray.shutdown()


def on_slurm(folder: Path, kinds: Sequence[str], rounds: int) -> None:
    """Measure on a Slurm."""
    with a_slurm():
        for kind in kinds:
            preload, number = PRELOAD_GPT if kind == "training" else (), SLURM_RUNS[kind]
            executor = slurm_executor(folder, PLACES, number, preload)
            with contextlib.closing(executor), contextlib.closing(local(preload)) as here:
                contenders: dict[str, tuple[Train, int]] = {
                    "bare Slurm arrays": (by_array(PLACES), number),
                    "slurm": (by_executor(executor, number), number),
                    "local": (by_executor(here), number),
                }
                print_table(kind, "slurm", in_turns(folder, kind, contenders, rounds))


def local(preload: Sequence[str]) -> LocalExecutor:
    """The executor of this machine, ready."""
    slots = [Slot(f"cpu {each}", "cpu", 1) for each in range(PLACES)]
    made = LocalExecutor(slots, partial(Server, preload=preload))
    made.prepare()
    return made


def in_turns(
    folder: Path, kind: str, contenders: dict[str, tuple[Train, int]], rounds: int
) -> dict[str, Measured]:
    """Measure all contenders in turns, each round starting with another one."""
    measured = {each: Measured() for each in contenders}
    names = [*contenders]
    for turn in range(rounds):
        first = turn % len(names)
        for each in (*names[first:], *names[:first]):
            measure(folder, kind, *contenders[each], measured[each])
    return measured


if __name__ == "__main__":
    main()
