"""The trials of a search, with a real scheduler and store, and an executor that trains nothing."""

from __future__ import annotations

import math
import sqlite3
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from sweep.queue.queue import Queue
from sweep.running.scheduler import Scheduler
from sweep.searching.mirror import FILE, Mirror
from sweep.searching.problem import Problem, problems_of
from sweep.searching.recording import save_search
from sweep.searching.source import TrialSource
from sweep.searching.trials import Outcome, Trial, read_trials
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.study.names import trials_name
from sweep.trainers.base import RunSpec
from sweep.trainers.builtin import recipe_of
from sweep.workload.job import Job
from sweep.workspace import plan_of
from tests.sweep.jobs import make_gpt_job
from tests.sweep.rehearsal import Behaviour, Desk, Rehearsal
from trainer.rundir.directory import Event, Result, RunDirectory
from trainer.rundir.exits import Exit

SEARCH = """
[search]
trials = {trials}
{more}
[search.fields]
"optimizer.learning_rate" = {{ low = 1e-4, high = {high}, log = true }}
"""


class Bench:
    """A search in a folder: its problems, schedulers, and what was said."""

    def __init__(self, store: Store, folder: Path, study_text: str, behave: Behaviour) -> None:
        self.store, self.folder, self.study_text, self.behave = store, folder, study_text, behave
        self.said: list[str] = []
        self.problems: list[Problem] = []

    def plan(self, more: str = "", fields: str = "", high: float = 1e-1, trials: int = 7) -> Bench:
        search = SEARCH.format(trials=trials, more=more, high=high) + fields
        plan = plan_of(tomllib.loads(self.study_text + search), "s.toml")
        assert plan.study.search
        self.problems = problems_of(plan, plan.study.search)
        save_search(self.store, plan, self.problems, self.folder / "s.toml")
        return self

    def source(self, store: Store | None = None, owner: str = "me:1:1") -> TrialSource:
        queue = Queue(store or self.store, owner)
        return TrialSource(queue, self.problems, job_of, Mirror(self.folder, self.said.append))

    def run(self, slots: int = 2, behave: Behaviour | None = None) -> Desk:
        executor, source = Rehearsal(behave or self.behave, slots), self.source()
        desk = Desk(self.store, executor, self.folder, retries=0, source=source)
        desk.scheduler.run([])
        source.finish()
        return desk

    def trials(self, arm: int = 0) -> list[Trial]:
        problem = self.problems[arm]
        return read_trials(self.store, trials_name("tiny"), problem.key, problem.direction)

    def optuna(self, name: str = "tiny") -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        return optuna.load_study(study_name=name, storage=f"sqlite:///{self.folder / FILE}")


def job_of(spec: RunSpec) -> Job:
    return make_gpt_job(recipe_of(spec))


def distance(rate: float) -> float:
    """Best at a learning rate of 0.01."""
    return abs(math.log10(rate) + 2)


@pytest.fixture
def behave(make_result: Callable[..., Result]) -> Behaviour:
    """Every run succeeds, with a loss that depends on its learning rate."""

    def succeed(directory: RunDirectory, _number: int) -> int:
        rate = directory.read_request().recipe.optimizer.learning_rate
        directory.write_result(make_result(test_loss=2 + distance(rate)))
        return Exit.DONE

    return succeed


@pytest.fixture
def bench(store: Store, tmp_path: Path, study_text: str, behave: Behaviour) -> Bench:
    return Bench(store, tmp_path / "runs", study_text, behave)


def test_a_search_fills_all_slots_and_ends_after_its_trials(bench: Bench) -> None:
    desk = bench.plan().run(slots=3)
    trials = bench.trials()
    assert desk.executor.most == 3
    assert [trial.name for trial in trials] == [f"trial-{number}" for number in range(7)]
    assert {trial.outcome for trial in trials} == {Outcome.COMPLETE}
    for trial in trials:
        assert trial.value == 2 + distance(trial.values["optimizer.learning_rate"])
        assert [run.seed for run in trial.runs] == [1_000_000_001]
    assert len(bench.run().executor.started) == 0


def test_optuna_opens_the_search_and_names_our_runs(bench: Bench) -> None:
    bench.plan().run()
    theirs = bench.optuna().trials
    assert [trial.value for trial in theirs] == [trial.value for trial in bench.trials()]
    assert [trial.user_attrs["sweep_runs"] for trial in theirs] == [
        [run.run_id for run in trial.runs] for trial in bench.trials()
    ]
    assert bench.said == []


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(
    bench: Bench, tmp_path: Path, behave: Behaviour
) -> None:
    schedulers: list[Scheduler] = []

    def stop_at_the_third(directory: RunDirectory, number: int) -> int | None:
        if len(list(bench.folder.glob("*/result.json"))) == 2:
            schedulers[0].stop()
        return behave(directory, number)

    bench.plan()
    executor = Rehearsal(stop_at_the_third, 1)
    desk = Desk(bench.store, executor, bench.folder, source=bench.source())
    schedulers.append(desk.scheduler)
    assert desk.scheduler.run([]).interrupted
    assert len(bench.trials()) < 7
    bench.run(slots=1)
    stopped = [trial.values for trial in bench.trials()]
    store = Store(bench.store.url.set(database=str(tmp_path / "whole.db")), create=True)
    whole = Bench(store, tmp_path / "whole", bench.study_text, behave).plan()
    whole.run(slots=1)
    assert stopped == [trial.values for trial in whole.trials()]
    store.close()


def test_trials_that_a_dead_command_left_behind_are_trained(bench: Bench) -> None:
    bench.plan()
    left = bench.source(owner="dead:1:1").next(3)
    assert len(left) == 3
    bench.run()
    assert [trial.outcome for trial in bench.trials()] == [Outcome.COMPLETE] * 7


def test_two_commands_share_a_search(bench: Bench, open_store: Callable[[], Store]) -> None:
    bench.plan()
    ours, theirs = bench.source(), bench.source(open_store(), "other:2:2")
    jobs = [*ours.next(2), *theirs.next(3), *ours.next(2)]
    numbers = [trial.number for trial in bench.trials()]
    assert numbers == list(range(len(numbers)))
    assert {job.run_id for job in jobs} == {
        run.run_id for trial in bench.trials() for run in trial.runs
    }


def test_runs_that_fail_or_diverge_cost_a_trial_and_no_search(
    bench: Bench, make_result: Callable[..., Result], behave: Behaviour
) -> None:
    def sometimes(directory: RunDirectory, number: int) -> int | None:
        rate = directory.read_request().recipe.optimizer.learning_rate
        if rate > 0.02:
            nothing = {"test_loss": None, "chunk_losses": [], "cause": "loss is nan"}
            directory.write_result(make_result(state="diverged", diverged_at=2, **nothing))
            return Exit.DONE
        return 1 if rate < 0.001 else behave(directory, number)

    bench.plan('sampler = "random"').run(behave=sometimes)
    for trial in bench.trials():
        rate = trial.values["optimizer.learning_rate"]
        failed = rate < 0.001
        assert trial.outcome is (Outcome.FAILED if failed else Outcome.COMPLETE)
        assert (trial.value == math.inf) == (rate > 0.02)
    states = [trial.state.name for trial in bench.optuna().trials]
    assert states == [
        {"FAILED": "FAIL"}.get(trial.outcome.name, "COMPLETE") for trial in bench.trials()
    ]


def test_values_that_do_not_fit_together_are_a_trial_without_a_run(bench: Bench) -> None:
    fields = '"model.heads" = { choices = [2, 3] }'
    bench.plan('sampler = "random"', fields).run()
    refused = [trial for trial in bench.trials() if trial.values["model.heads"] == 3]
    assert refused
    assert all(trial.outcome is Outcome.REFUSED and not trial.runs for trial in refused)


def test_a_bad_curve_ends_a_trial_and_optuna_is_told(bench: Bench) -> None:
    def with_curve(directory: RunDirectory, number: int) -> int | None:
        lines = [
            Event(step=step, loss=3.0, learning_rate=0.1, grad_norm=1.0, tokens_per_second=1.0)
            for step in (1, 2, 3)
        ]
        directory.events.write_text("".join(f"{line.model_dump_json()}\n" for line in lines))
        return bench.behave(directory, number)

    bench.plan('pruner = "median"').run(behave=with_curve)
    source = bench.plan('pruner = "median"', trials=8).source()
    (job,) = source.next(1)
    bad = Event(step=1, loss=99.0, learning_rate=0.1, grad_norm=1.0, tokens_per_second=1.0)
    source.advanced(job, bad)
    last = bench.trials()[-1]
    assert (last.outcome, last.pruned_at) == (Outcome.PRUNED, 1)
    assert bench.store.states([job.run_id]) == {job.run_id: RunState.CANCELLED}
    source.finish()
    assert bench.optuna().trials[-1].state is optuna.trial.TrialState.PRUNED


def test_another_range_begins_another_search(bench: Bench) -> None:
    bench.plan().run()
    first = [trial.values for trial in bench.trials()]
    bench.plan(high=1.0).run()
    assert len(bench.trials()) == 7
    assert [trial.values for trial in bench.trials()] != first
    assert len(bench.optuna().trials) == 7


def test_a_deleted_optuna_storage_is_written_again(bench: Bench) -> None:
    bench.plan().run()
    (bench.folder / FILE).unlink()
    bench.run()
    assert len(bench.optuna().trials) == 7
    assert bench.said == []


def test_an_optuna_storage_that_is_held_costs_a_sentence_and_no_trial(bench: Bench) -> None:
    bench.plan().run()
    with closing(sqlite3.connect(bench.folder / FILE, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        bench.plan(high=1.0).run()
        assert [trial.outcome for trial in bench.trials()] == [Outcome.COMPLETE] * 7
    (said,) = bench.said
    assert said.startswith(f"{bench.folder / FILE} cannot be written (")
    assert said.endswith("the same command writes the file again")
    bench.run()
    assert len(bench.optuna().trials) == 7
