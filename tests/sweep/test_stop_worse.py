"""Arms that are stopped early, with a real store and queue; in the last tests, with real training."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sweep.queue.control import retry
from sweep.queue.queue import Queue
from sweep.reports.verdict_columns import verdict_cell
from sweep.running.race import Race
from sweep.running.stop_worse import WorseArms, worse_arms
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.verdicts.analysis_plan import Questions
from sweep.verdicts.judge import make_report
from sweep.workload.workload import Workload
from tests.sweep.one_by_one import OneByOne
from tests.sweep.race_command import Inputs, planned
from tests.sweep.stores import Trainer, lose
from trainer.rundir.directory import Event, Result

Content = dict[str, Any]
Run = Callable[..., subprocess.CompletedProcess[str]]
STEPS = 16
"""Steps of a run of the study."""
RULES = {"at": [0.25, 0.75], "margin": 0.05}
BAD = {"clip": 0.9}
"""Arms that are worse, and by how much."""


def curve(
    arm: str, seed: int, upto: int = STEPS, worse: Mapping[str, float] = BAD, begins: int = 0
) -> list[Event]:
    """A point after every second step; an arm is worse after the step at which that begins."""
    noise = seed / 8 + (len(arm) * seed) % 5 / 100
    return [
        Event(
            step=step,
            loss=4 + (worse.get(arm, 0.0) if step > begins else 0.0) + noise - step / 100,
            learning_rate=0.1,
            tokens_per_second=1000.0,
        )
        for step in range(2, upto + 1, 2)
    ]


class Study:
    """A study of which some runs have ended, and others are running."""

    def __init__(
        self, store: Store, folder: Path, content: Content, make_result: Callable[..., Result]
    ) -> None:
        self.store, self.make_result = store, make_result
        self.plan = Trainer(store, folder, make_result)(content, lambda *_: {})
        self.workload = Workload(self.plan, Inputs())  # type: ignore[arg-type]
        self.jobs = self.workload.jobs()
        self.queue = OneByOne(store, "me:1:1")

    def watch(self) -> WorseArms:
        found = worse_arms(self.store, self.workload)
        assert found
        return found

    def finish(
        self, arm: str, seed: int, worse: Mapping[str, float] = BAD, begins: int = 0
    ) -> None:
        run_id = self.jobs[arm, seed].run_id
        assert self.queue.claim(run_id)
        noise = (len(arm) * seed) % 5 / 1000
        result = self.make_result(test_loss=3 + worse.get(arm, 0.0) + seed / 100 + noise)
        self.queue.record(run_id, result, curve(arm, seed, STEPS, worse, begins), 1)

    def begin(self, arm: str, seed: int, upto: int) -> Event:
        """Let a run take some steps; returns its latest point."""
        job = self.jobs[arm, seed]
        assert self.queue.claim(job.run_id)
        assert self.store.ledger
        directory = self.store.ledger.run(job.run_id)
        directory.path.mkdir(parents=True)
        points = curve(arm, seed, upto)
        directory.events.write_text("".join(f"{each.model_dump_json()}\n" for each in points))
        return points[-1]

    def states(self, arm: str) -> list[RunState]:
        return [each.run.state for each in self.store.study_runs("tiny", arm)]

    @property
    def stopped(self) -> dict[str, float]:
        """The checkpoint of each arm that is stopped."""
        content = self.store.plan(self.store.study("tiny"))
        return {arm: each.at for arm, each in content.stopped.items()}


@pytest.fixture
def content(content: Content) -> Content:
    content["design"] |= {"seeds": 6, "stop_worse": RULES}
    content["interventions"]["decay"] = {"because": "?", "set": {"optimizer.weight_decay": 0.2}}
    return content


@pytest.fixture
def study(
    store: Store, tmp_path: Path, content: Content, make_result: Callable[..., Result]
) -> Study:
    return Study(store, tmp_path, content, make_result)


def train(study: Study, seeds: int, worse: Mapping[str, float] = BAD) -> None:
    for seed in range(1, seeds + 1):
        for arm in ("baseline", "no-dropout", "clip", "decay"):
            study.finish(arm, seed, worse)


def test_an_arm_is_stopped_when_a_run_passes_the_checkpoint_that_shows_it(study: Study) -> None:
    train(study, 2)
    watch = study.watch()
    study.finish("baseline", 3)
    before = study.begin("clip", 3, upto=2)
    assert watch.advanced(study.jobs["clip", 3], before) == ()
    assert study.stopped == {}
    assert study.store.ledger
    points = curve("clip", 3, upto=4)
    events = study.store.ledger.run(study.jobs["clip", 3].run_id).events
    events.write_text("".join(f"{each.model_dump_json()}\n" for each in points))
    news = watch.advanced(study.jobs["clip", 3], points[-1])
    assert news == ["worse (stopped at 25%): clip"]
    assert study.states("clip") == [RunState.DONE] * 2 + [RunState.CANCELLED] * 4
    assert study.states("decay") == [RunState.DONE] * 2 + [RunState.QUEUED] * 4
    runs = study.store.study_runs("tiny", "clip")
    assert {each.run.cause for each in runs[2:]} == {"worse (stopped at 25%)"}


def test_a_stopped_arm_is_worse_and_its_runs_count_as_stopped(study: Study, train: Trainer) -> None:
    for seed in (1, 2, 3, 4):
        for arm in ("baseline", "no-dropout", "clip", "decay"):
            study.finish(arm, seed)
    study.watch()
    table = train.table()
    assert "worse (stopped at 25%), 2 stopped" in table
    assert "clip: at step 4 its curve was worse than the baseline's by 0.9" in table
    assert "4 of 6" in table
    assert "6 runs are still to be trained" in table
    (row,) = (arm for arm in train.report()["arms"] if arm["arm"] == "clip")
    assert row["verdict"] == "worse"
    assert row["p"] is None
    assert row["effect"] == pytest.approx(0.9)
    assert row["stopped"]["runs"] == 2
    by_speed = Questions(metric="tokens_per_second")  # for which it was not stopped
    arm = make_report(study.store, study.store.study("tiny"), by_speed).arm("clip")
    assert (arm.result.verdict, verdict_cell(arm)) == (None, "stopped at 25%, 2 stopped")


def test_results_of_a_stopped_arm_have_no_part_in_the_tests_of_others(
    study: Study, train: Trainer
) -> None:
    for seed in range(1, 7):
        for arm in ("baseline", "no-dropout", "decay"):
            study.finish(arm, seed)
    family = {arm["arm"]: arm for arm in train.report()["arms"]}
    for seed in (1, 2, 3, 4):
        study.finish("clip", seed)
    study.watch()
    found = {arm["arm"]: arm for arm in train.report()["arms"]}
    assert found["clip"]["verdict"] == "worse"
    assert all(found[arm] == family[arm] for arm in ("no-dropout", "decay"))


def test_an_arm_that_is_worse_by_less_than_the_margin_goes_on(study: Study) -> None:
    train(study, 5, worse={"clip": 0.04, "decay": -2.0})
    study.watch()
    assert study.stopped == {}


def test_an_arm_whose_curve_is_another_quantity_is_never_stopped(study: Study) -> None:
    train(study, 5, worse={"no-dropout": 3.0})
    study.watch()
    assert study.stopped == {}


def test_an_arm_may_be_shown_to_be_worse_at_a_later_checkpoint(study: Study) -> None:
    for seed in (1, 2, 3, 4):
        study.finish("baseline", seed)
        study.finish("clip", seed, begins=8)
    study.watch()
    assert study.stopped == {"clip": 0.75}


def test_a_seed_that_may_still_come_is_waited_for(study: Study) -> None:
    for seed in (1, 3, 4, 5):
        study.finish("baseline", seed)
        study.finish("clip", seed)
    watch = study.watch()
    assert study.stopped == {}
    study.finish("baseline", 2)
    study.begin("clip", 2, upto=4)
    watch.check()
    assert study.stopped == {"clip": 0.25}


def test_a_failed_run_does_not_hold_up_a_decision(study: Study) -> None:
    for seed in (1, 3, 4, 5):
        study.finish("baseline", seed)
        study.finish("clip", seed)
    study.finish("baseline", 2)
    run_id = study.jobs["clip", 2].run_id
    assert study.queue.claim(run_id)
    study.queue.fail(run_id, "disk full", None, retry=False)
    study.watch()
    assert study.stopped == {"clip": 0.25}


def test_an_arm_whose_runs_have_all_ended_keeps_its_verdict(study: Study, train: Trainer) -> None:
    for seed in range(1, 7):
        for arm in ("baseline", "no-dropout", "clip", "decay"):
            study.finish(arm, seed)
    study.watch()
    assert study.stopped == {}
    assert {arm["arm"]: arm["verdict"] for arm in train.report()["arms"]}["clip"] == "worse"


def test_two_schedulers_decide_alike_and_the_next_command_goes_on(study: Study) -> None:
    one, two = study.watch(), study.watch()
    train(study, 4)
    assert one.check() == two.check() == ["worse (stopped at 25%): clip"]
    retry(study.store, [study.jobs["clip", 5].run_id])
    again = study.watch()
    assert again.stopped == {"clip"}
    assert study.states("clip")[4:] == [RunState.CANCELLED] * 2


def test_a_run_that_another_study_needs_too_is_not_cancelled(
    study: Study, content: Content, train: Trainer
) -> None:
    train({**content, "name": "other"}, lambda *_: {})
    for seed in (1, 2, 3, 4):
        study.finish("baseline", seed)
        study.finish("clip", seed)
    study.watch()
    assert study.stopped == {"clip": 0.25}
    assert study.states("clip")[4:] == [RunState.QUEUED] * 2


def test_a_race_goes_on_without_a_stopped_arm(
    store: Store, tmp_path: Path, content: Content, make_result: Callable[..., Result]
) -> None:
    content["design"] = {"seeds": {"start": 4, "most": 6}, "stop_worse": RULES}
    content["analysis"]["smallest_effect"] = 1e-6
    study = Study(store, tmp_path, content, make_result)
    for seed in (1, 2, 3, 4):
        for arm in ("baseline", "no-dropout", "decay"):
            study.finish(arm, seed, worse={"decay": 0.0})
    for seed in (1, 2, 3):
        study.finish("clip", seed)
    study.begin("clip", 4, upto=4)
    study.watch()
    assert study.stopped == {"clip": 0.25}
    found = Race(store, Queue(store, "me:1:1"), study.workload).more(None)
    assert not any(label.startswith("clip/") for label in found.jobs)
    assert not any("clip" in line for line in found.news)


def test_without_stop_worse_plans_are_what_they_were(content: Content) -> None:
    del content["design"]["stop_worse"]
    plan = planned(content)
    assert "stop_worse" not in plan.content()
    assert planned({**content, "design": {"seeds": 6, "stop_worse": RULES}}).hash != plan.hash


@pytest.mark.slow
def test_sweep_run_stops_an_arm_with_a_useless_learning_rate(
    study_text: str, sweep: Run, tmp_path: Path
) -> None:
    rate = '[interventions.awful]\nbecause = "?"\nset = { "optimizer.learning_rate" = 1e-9 }\n'
    text = study_text.replace("seeds = 2", "seeds = 4\nstop_worse = { at = [0.5], margin = 0.0 }")
    text = text[: text.index("[interventions.no-dropout]")] + rate + text[text.index("[design]") :]
    (tmp_path / "s.toml").write_text(text.replace("tokens = 2048", "tokens = 4096"))
    done = sweep(tmp_path, "run", "s.toml", "--slots", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nworse (stopped at 50%): awful\n" in done.stdout
    assert "worse (stopped at 50%), " in done.stdout
    assert "are cancelled and missing" not in done.stdout
    lose(tmp_path / "runs")
    assert sweep(tmp_path, "rebuild").returncode == 0
    again = sweep(tmp_path, "run", "s.toml")
    assert "nothing to train" in again.stdout
    assert "worse (stopped at 50%), " in again.stdout
    assert again.returncode == 0
