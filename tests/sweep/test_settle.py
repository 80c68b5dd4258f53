"""Further seeds for single arms: where they live, which ones a budget allows, and what judges them."""

from __future__ import annotations

import io
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweep.commands.settle import SettleRequest, settle
from sweep.design.arms import make_plan
from sweep.design.plan import Plan
from sweep.errors import NotFoundError, StudyError
from sweep.history.history import FileState, plan_history
from sweep.history.record import save_plan
from sweep.history.settled import with_settled_seeds
from sweep.queue.queue import Queue
from sweep.running.budget import NO_BUDGET
from sweep.store.plan_content import PlanContent
from sweep.study.file import parse_study
from sweep.verdicts.further import Costs, affordable_seeds
from sweep.workspace import Workspace
from tests.sweep.conftest import Run
from tests.sweep.stores import Trainer
from tests.sweep.test_settling import noisy

Content = dict[str, Any]


def planned(content: Content, **changes: Any) -> Plan:  # noqa: ANN401  (JSON)
    changed = deepcopy(content)
    changed["design"].update(changes)
    return make_plan(parse_study(changed, "s.toml"), "s.toml")


def seeds(plan: Plan) -> dict[str, list[int]]:
    return {arm.name: list(arm.specs) for arm in plan.arms}


def test_an_arm_may_have_seeds_of_its_own_and_the_baseline_has_those_of_all(
    content: Content,
) -> None:
    content["interventions"]["clip"]["seeds"] = 4
    plan = planned(content)
    assert seeds(plan) == {"baseline": [1, 2, 3, 4], "no-dropout": [1, 2], "clip": [1, 2, 3, 4]}
    content["interventions"]["clip"]["seeds"] = [7, 1]
    assert seeds(planned(content))["clip"] == [7, 1]
    assert seeds(planned(content))["baseline"] == [1, 2, 7]
    stored = PlanContent.from_json(planned(content).content())
    assert {arm: stored.seeds_of(arm) for arm in stored.arms} == seeds(planned(content))


def test_a_plan_without_such_seeds_has_the_hash_that_it_had(content: Content) -> None:
    assert not planned(content).content().keys() & {"arm_seeds", "settled", "race"}


def test_settled_seeds_extend_the_arm_and_the_baseline(content: Content) -> None:
    plan = planned(content).with_settled({"clip": [3, 4]})
    assert seeds(plan) == {"baseline": [1, 2, 3, 4], "no-dropout": [1, 2], "clip": [1, 2, 3, 4]}
    again = plan.with_settled({"clip": [4, 5], "no-dropout": [3]})
    assert again.settled == {"clip": [3, 4, 5], "no-dropout": [3]}
    stored = PlanContent.from_json(again.content())
    assert {arm: stored.seeds_of(arm) for arm in stored.arms} == seeds(again)


def settled(train: Trainer, content: Content, further: dict[str, list[int]]) -> Plan:
    """Store a plan with further seeds, as `sweep settle` does."""
    plan = planned(content).with_settled(further)
    jobs = {
        (arm.name, seed): Trainer.job(arm.identity, spec.recipe)  # type: ignore[attr-defined]
        for arm in plan.arms
        for seed, spec in arm.specs.items()
    }
    Queue(train.store, "me:1:1").enqueue(jobs.values())
    save_plan(train.store, plan, train.folder / "s.toml", {c: j.run_id for c, j in jobs.items()})
    return plan


def test_the_next_run_of_the_same_file_keeps_settled_seeds(
    train: Trainer, content: Content
) -> None:
    train(content)
    plan = settled(train, content, {"clip": [3]})
    assert with_settled_seeds(train.store, planned(content)).hash == plan.hash
    more = with_settled_seeds(train.store, planned(content, seeds=4))
    assert more.hash == planned(content, seeds=4).hash  # the file has these seeds now
    content["interventions"]["clip"]["set"] = {"optimizer.clip_norm": 0.25}
    assert with_settled_seeds(train.store, planned(content)).settled == {}  # another recipe


def test_settled_seeds_are_no_change_of_the_file(
    train: Trainer, content: Content, study_text: str
) -> None:
    train(content)
    settled(train, content, {"clip": [3]})
    (train.folder / "s.toml").write_text(study_text)
    history = plan_history(train.store, train.store.study("tiny"))
    assert history.file is FileState.AS_PLANNED
    assert [change.what for change in history.changes] == ["seeds of clip"]


def test_a_settled_arm_is_judged_by_e_values_after_its_look(
    train: Trainer, content: Content
) -> None:
    content["design"]["seeds"] = 4
    train(content)
    settled(train, content, {"clip": [5]})
    arms = {arm["arm"]: arm for arm in train.report()["arms"]}
    assert arms["no-dropout"]["basis"] == "planned"
    assert arms["clip"]["n_planned"] == 4
    assert arms["clip"]["n_missing"] == arms["baseline"]["n_missing"] == 1


WANTED = {"a": [4, 5, 6, 7], "b": [4, 5]}


def test_a_budget_gives_equally_many_seeds_to_all_arms() -> None:
    costs = Costs(baseline="base", trained=set(), slots=2)
    assert affordable_seeds(WANTED, costs) == WANTED

    def within(number: int) -> dict[str, list[int]]:
        return affordable_seeds(
            WANTED, Costs(baseline="base", trained=set(), slots=2, max_runs=number)
        )

    assert within(1) == {}
    assert within(2) == {"a": [4]}
    assert within(3) == {"a": [4], "b": [4]}  # the baseline's run serves both
    assert within(7) == {"a": [4, 5], "b": [4, 5]}
    assert within(9) == {"a": [4, 5, 6], "b": [4, 5]}


def test_a_budget_of_time_counts_the_slots_and_not_what_is_trained() -> None:
    costs = Costs(
        baseline="base",
        trained={("base", 4)},
        slots=2,
        seconds={"base": 10.0, "a": 10.0, "b": 30.0},
        max_seconds=25.0,
    )
    assert affordable_seeds(WANTED, costs) == {"a": [4], "b": [4]}


def test_settle_says_what_it_cannot_do(
    train: Trainer, content: Content, tmp_path: Path, study_text: str
) -> None:
    content["design"]["seeds"] = 4
    train(content, noisy)
    (tmp_path / "s.toml").write_text(study_text)  # with two seeds
    workspace = Workspace(tmp_path / "runs")
    console = Console(file=io.StringIO(), width=200)

    def request(arm: str | None) -> SettleRequest:
        return SettleRequest(arm=arm, study="tiny", slots=1, budget=NO_BUDGET)

    with pytest.raises(
        NotFoundError, match="tiny has no arm 'klip' to settle; did you mean 'clip'"
    ):
        settle(workspace, request("klip"), console)
    with pytest.raises(StudyError, match="has changed since its verdicts were reached"):
        settle(workspace, request("clip"), console)


@pytest.mark.slow
def test_settle_trains_the_arm_and_the_baseline_and_prints_the_verdicts(
    sweep: Run, tmp_path: Path, study_text: str
) -> None:
    text = study_text.replace("smallest_effect = 0.01", "smallest_effect = 0.0001")
    (tmp_path / "s.toml").write_text(text)
    assert sweep(tmp_path, "run", "s.toml").returncode == 0
    done = sweep(tmp_path, "settle", "clip", "--max-runs", 2)
    assert done.returncode == 0, done.stderr
    assert "Further seeds, also for the baseline: clip 1 of" in done.stdout
    again = sweep(tmp_path, "run", "s.toml")
    assert "All 8 runs of tiny are done: nothing to train." in again.stdout
    refused = sweep(tmp_path, "settle", "clip", "--max-runs", 1)
    assert refused.returncode == 2
    assert "the budget has no room for one more seed" in refused.stderr
