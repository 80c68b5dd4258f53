"""The time that `sweep plan` says, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sweep.forecast import pace
from sweep.forecast.pace import find_pace, measured_pace, similar_pace
from sweep.forecast.price import TrainingTime
from sweep.store.store import Store
from sweep.trainers.stored_recipes import stored_cost
from sweep.workload.job import Job
from tests.sweep.jobs import make_gpt_job
from tests.sweep.one_by_one import OneByOne
from trainer.recipe import Recipe
from trainer.rundir.directory import Result

HERE = {"device": "this CPU", "device_type": "cpu", "threads": 1}


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "device_name", lambda: "this CPU")
    monkeypatch.setattr(pace, "available_cores", lambda: 2)


def job(seed: int, family: str = "f" * 64, **train: Any) -> Job:  # noqa: ANN401  (recipe fields)
    fields = {"train": train, "seeds": {"init": seed, "order": seed, "dropout": seed}}
    return make_gpt_job(Recipe.model_validate(fields), family=family)


@pytest.fixture
def done(store: Store, make_result: Callable[..., Result]) -> Callable[..., Job]:
    """Records a run of so many seconds."""
    queue = OneByOne(store, "me:1:1")

    def record(one: Job, seconds: float, provenance: dict[str, Any] = HERE) -> Job:
        queue.enqueue([one])
        assert queue.claim(one.run_id)
        result = make_result(finished=1000.0 + seconds, provenance=provenance)
        queue.record(one.run_id, result, [], None)
        return one

    return record


def test_runs_that_are_done_tell_the_time_of_the_others_arm_by_arm(
    store: Store, done: Callable[..., Job]
) -> None:
    jobs = [done(job(seed), seconds) for seed, seconds in enumerate((60, 62, 40_000))]
    jobs += [done(job(seed, "slow" * 16, tokens=99_000_000), 180) for seed in (7, 8)]
    found = measured_pace(store, jobs)
    assert found
    assert (found.source, found.spread) == ("from the 5 runs that are done", 1.0)
    costs = [each.spec.cost for each in (jobs[0], jobs[3])]
    assert sum(map(found.seconds, costs)) == pytest.approx(62 + 180)


def test_similar_runs_of_other_studies_on_this_machine_tell_a_range(
    store: Store, done: Callable[..., Job]
) -> None:
    done(job(1), 60)
    done(job(2), 64)
    done(job(3, "far" * 16, batch_size=24), 40)
    wanted = job(1).spec.cost
    found = find_pace(store, [], [wanted], 2)
    assert (found.source, found.spread) == ("from 2 similar runs on this machine", 1.3)
    assert found.seconds(wanted) == pytest.approx(62)


def test_the_less_similar_the_runs_are_the_wider_is_the_range(
    store: Store, done: Callable[..., Job]
) -> None:
    """Twice the operations in as many steps: the same time, if overhead dominates, to twice."""
    small = done(job(1), 60).spec.cost
    wanted = job(1, batch_size=192, tokens=2 * small.tokens).spec.cost
    found = similar_pace(store, [wanted], 2)
    assert found
    assert found.seconds(wanted) / found.spread == pytest.approx(60 / 1.3, rel=0.05)
    assert found.seconds(wanted) * found.spread == pytest.approx(2 * 60 * 1.3, rel=0.05)


@pytest.mark.parametrize(
    "other", [{"device": "another CPU"}, {"threads": 2}, {"device_type": "cuda", "device": "H200"}]
)
def test_runs_of_another_machine_or_with_other_threads_do_not_count(
    store: Store, done: Callable[..., Job], other: dict[str, Any]
) -> None:
    one = done(job(1), 60, HERE | other)
    assert similar_pace(store, [one.spec.cost], 2) is None
    assert similar_pace(None, [one.spec.cost], 2) is None


def test_much_larger_runs_do_not_count(store: Store, done: Callable[..., Job]) -> None:
    done(job(1), 60)
    assert similar_pace(store, [job(1, batch_size=960).spec.cost], 2) is None
    assert find_pace(store, [], [job(1, batch_size=960).spec.cost], 2).spread == 2.0


def test_a_stored_recipe_has_the_cost_of_its_run() -> None:
    for one in (job(1), job(1, tokens=5_000_000)):
        assert stored_cost(one.spec.parameters()) == one.spec.cost
    assert stored_cost({"lr": 0.1}) is None


@pytest.mark.parametrize(("runs", "slots", "rounds"), [(6, 1, 6), (6, 2, 3), (9, 8, 2), (1, 8, 1)])
def test_the_last_round_takes_as_long_as_the_others(runs: int, slots: int, rounds: int) -> None:
    found = pace.Pace(1.0, "")
    time = TrainingTime(
        runs=runs,
        slots=slots,
        gpus_per_run=1,
        seconds=10.0 * runs,
        pace=found,
        tokens_per_second=1.0,
        cost=None,
    )
    assert time.elapsed_seconds == pytest.approx(10.0 * rounds)
