"""Every trainer goes through queue, scheduler, store and forecast; none of them needs a recipe."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweep.executors.base import Ended
from sweep.executors.inline import InlineExecutor, Train
from sweep.forecast.pace import measured_pace
from sweep.progress.plain import PlainProgress
from sweep.queue.queue import Queue
from sweep.running.scheduler import Scheduler
from sweep.running.settings import Settings
from sweep.store.find_run import find_run
from sweep.store.store import Store
from sweep.study.jobs_section import Jobs
from sweep.study.trainer_section import ScriptTrainer
from sweep.trainers.base import Cause, Cost, End, RunIdentity
from sweep.trainers.builtin import GptRun, expected_cost
from sweep.trainers.instruction import InstructionRun
from sweep.trainers.registry import TRAINERS
from sweep.trainers.script import ScriptRun
from sweep.workload.job import Job
from trainer.files import write_json
from trainer.instructions.settings import InstructionSettings
from trainer.recipe import Recipe, Seeds
from trainer.rundir.directory import Event, Result, RunDirectory
from trainer.scripts.request import MetricSource

BROKEN = 3
"""A seed whose run fails."""


@dataclass(frozen=True)
class NoopRun:
    """A run that trains nothing: its loss is its parameter plus its seed."""

    offset: float
    seed: int

    @property
    def seeds(self) -> Seeds:
        return Seeds(init=self.seed, order=self.seed, dropout=self.seed)

    @property
    def cost(self) -> Cost:
        return Cost(
            flops=1e6,
            evaluation_flops=0.0,
            tokens=100,
            steps=1,
            parameters=1,
            curve_points=1,
            chunks=0,
        )

    def parameters(self) -> dict[str, Any]:
        return {"offset": self.offset, "seed": self.seed}

    def write_request(self, directory: RunDirectory, identity: RunIdentity, _jobs: Jobs) -> None:
        directory.path.mkdir(parents=True, exist_ok=True)
        write_json(directory.path / "parameters.json", self.parameters() | {"id": identity.run_id})

    def find_result(self, directory: RunDirectory) -> End | None:
        result = directory.read_result()
        if result is None:
            return None
        return End(cause=Cause.RESULT, result=result, events=directory.read_events())

    def read_end(self, directory: RunDirectory, ended: Ended) -> End:
        failed = End(cause=Cause.FAILED, reason=f"status {ended.status}", signature="noop")
        return self.find_result(directory) or failed


def train_nothing(make_result: Callable[..., Result]) -> Train:
    """The function of an inline executor, which is all that such a trainer needs."""

    def train(path: Path, _attempt: int) -> int:
        directory = RunDirectory(path)
        asked = json.loads((path / "parameters.json").read_bytes())
        if asked["seed"] == BROKEN:
            return 1
        point = Event(step=1, loss=1.0, learning_rate=0.1, grad_norm=None, tokens_per_second=1.0)
        directory.events.write_text(point.model_dump_json() + "\n")
        directory.write_result(make_result(test_loss=asked["offset"] + asked["seed"]))
        return 0

    return train


def noop_job(seed: int) -> Job:
    name = f"noop-{seed}".ljust(64, "0")
    return Job(run_id=name, family="f" * 64, corpus_hash="", spec=NoopRun(0.5, seed))


def test_a_trainer_without_a_recipe_is_queued_run_recorded_and_forecast(
    store: Store, tmp_path: Path, make_result: Callable[..., Result]
) -> None:
    jobs = [noop_job(seed) for seed in (1, 2, BROKEN)]
    queue = Queue(store, "me:1:1")
    queue.enqueue(jobs)
    seen = io.StringIO()
    watcher = PlainProgress(Console(file=seen, width=200), {}, len(jobs))
    settings = Settings(Jobs(retries=1, retry_seconds=0))
    executor = InlineExecutor(train_nothing(make_result), slots=2)
    summary = Scheduler(queue, executor, tmp_path, watcher, settings).run(jobs)
    assert (summary.finished, summary.failed) == (2, 1)
    found = [find_run(store, job.run_id).run for job in jobs]
    assert [run.state for run in found] == ["done", "done", "failed"]
    assert [run.test_loss for run in found] == [1.5, 2.5, None]
    assert [run.recipe for run in found] == [job.spec.parameters() for job in jobs]
    assert [run.init_seed for run in found] == [1, 2, BROKEN]
    assert len(store.curve(jobs[0].run_id)) == 1
    assert [each.reason for each in store.attempts(jobs[2].run_id)] == ["status 1", "status 1"]
    pace = measured_pace(store, jobs)
    assert pace
    assert pace.seconds(jobs[0].spec.cost) > 0


def script_job(folder: Path) -> Job:
    spec = ScriptRun(
        script=ScriptTrainer(command=["true"], flags=True),
        folder=folder,
        code={"train.py": "0" * 64},
        values={"lr": 0.1},
        sources={"loss": MetricSource(line="loss")},
        primary="loss",
        seeds=Seeds(init=1, order=1, dropout=1),
    )
    return Job(**vars(spec.run_identity()), spec=spec)


def instruction_job() -> Job:
    spec = InstructionRun(
        base_id="b" * 64,
        base_family="f" * 64,
        data_hash="d" * 64,
        settings=InstructionSettings(dropout=0.1),
        seeds=Seeds(init=1, order=1, dropout=1),
    )
    return Job(**vars(spec.run_identity()), spec=spec)


@pytest.mark.parametrize("name", TRAINERS)
def test_every_trainer_knows_the_runs_that_it_has_written(
    name: str, tmp_path: Path, make_job: Callable[[int], Job]
) -> None:
    jobs = {"gpt": make_job(1), "script": script_job(tmp_path), "instructions": instruction_job()}
    job = jobs[name]
    directory = RunDirectory(tmp_path / job.run_id[:16])
    job.spec.write_request(directory, job, Jobs())
    identity, spec = TRAINERS[name].read_run(directory) or pytest.fail("not its own")
    assert identity == RunIdentity(
        run_id=job.run_id, family=job.family, corpus_hash=job.corpus_hash
    )
    assert spec == job.spec


def test_the_cost_of_a_recipe_counts_training_and_evaluation(
    make_job: Callable[[int], Job],
) -> None:
    spec = make_job(1).spec
    assert isinstance(spec, GptRun)
    recipe: Recipe = spec.recipe
    cost = expected_cost(recipe)
    assert (cost.steps, cost.tokens) == (recipe.steps, recipe.steps * recipe.tokens_per_step)
    assert cost.flops == recipe.flops
    scored = recipe.evaluation.chunks * recipe.evaluation.chunk_tokens
    assert cost.evaluation_flops == pytest.approx(recipe.flops * scored / cost.tokens / 3)


def test_evaluation_costs_what_the_model_that_is_kept_costs(make_job: Callable[[int], Job]) -> None:
    spec = make_job(1).spec
    assert isinstance(spec, GptRun)
    plain = expected_cost(spec.recipe)
    train = {"multi_token": 3, "first_context": 8}
    changed = spec.recipe.model_dump() | {"train": spec.recipe.train.model_dump() | train}
    other = expected_cost(Recipe.model_validate(changed))
    assert other.flops != plain.flops
    assert other.evaluation_flops == plain.evaluation_flops
