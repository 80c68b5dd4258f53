"""`sweep settle ARM --after OTHER`: further seeds for the step between two arms."""

from __future__ import annotations

import io
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.steps import StepVerdict
from sweep.commands.settle import SettleRequest, settle
from sweep.commands.settle_step import seeds_for_both
from sweep.design.arms import make_plan
from sweep.design.plan import Plan
from sweep.errors import NotFoundError, StudyError
from sweep.running.budget import NO_BUDGET
from sweep.study.file import parse_study
from sweep.verdicts.further import Costs, affordable_seeds
from sweep.verdicts.steps import StudyStep
from sweep.workspace import Workspace
from tests.sweep.conftest import Run
from tests.sweep.stores import Trainer

Content = dict[str, Any]
STACK = '\n[stacks.two]\ncombine = ["no-dropout", "clip"]\n'


@pytest.fixture
def ladder(content: Content) -> Content:
    new = deepcopy(content)
    new["stacks"] = {"two": {"combine": ["no-dropout", "clip"]}}
    return new


def planned(content: Content, **design: Any) -> Plan:  # noqa: ANN401  (JSON)
    content["design"].update(design)
    return make_plan(parse_study(content, "s.toml"), "s.toml")


def step(further: int) -> StudyStep:
    result = StepVerdict(
        arm="two", before="clip", n=2, n_missing=0, n_diverged=0, seeds_to_settle=further
    )
    return StudyStep(adds="no-dropout", result=result)


def test_both_arms_get_the_seeds_that_they_lack_and_those_of_one_come_first(
    train: Trainer, ladder: Content
) -> None:
    plan = planned(ladder)
    assert seeds_for_both(train.store, plan, step(2)) == {"clip": [3, 4], "two": [3, 4]}
    longer = plan.with_settled({"two": [3, 4]})
    assert seeds_for_both(train.store, longer, step(3)) == {"clip": [3, 4, 5], "two": [5]}


def test_in_a_race_the_seeds_that_its_plan_still_has_come_first(
    train: Trainer, ladder: Content
) -> None:
    plan = planned(ladder, seeds={"start": 3, "most": 5})
    assert seeds_for_both(train.store, plan, step(3)) == {"clip": [4, 5, 6], "two": [4, 5, 6]}


def test_a_budget_gives_a_seed_to_both_arms_or_to_none() -> None:
    wanted = {"clip": [3, 4, 5], "two": [5]}

    def within(number: int) -> dict[str, list[int]]:
        costs = Costs(baseline="base", trained={("base", 3)}, slots=2, max_runs=number)
        return affordable_seeds(wanted, costs, together=True)

    assert within(1) == {"clip": [3]}
    assert within(5) == {"clip": [3, 4]}
    assert within(6) == wanted


def undecided(arm: str, seed: int) -> dict[str, Any]:
    """Of the steps to `two`, that from `clip` is undecided, and that from `no-dropout` is not."""
    noise = (len(arm) * seed * 7 % 11 - 5) / 10_000
    loss = {"no-dropout": 2.0}.get(arm, 3.0) + (arm == "two") * (0.02 + (-1) ** seed / 50)
    return {"test_loss": loss + seed / 10 + noise}


def request(arm: str | None, after: str) -> SettleRequest:
    return SettleRequest(arm=arm, after=after, study="tiny", slots=1, budget=NO_BUDGET)


def test_the_report_says_what_to_type_for_an_undecided_step(
    train: Trainer, ladder: Content
) -> None:
    ladder["design"]["seeds"] = 6
    train(ladder, undecided)
    steps = {each["before"]: each for each in train.report()["steps"]}
    assert steps["clip"]["seeds_to_settle"]
    assert steps["no-dropout"]["verdict"] == "worse"
    said = " ".join(train.table().split())
    assert (
        "(+n) n more seeds of both arms are likely to settle the step: `sweep settle two --after clip` "
        "trains them, and the baseline's."
    ) in said


def test_what_is_no_open_step_is_refused_or_said(train: Trainer, ladder: Content) -> None:
    ladder["design"]["seeds"] = 6
    train(ladder, undecided)
    workspace = Workspace(train.folder / "runs")
    console = Console(file=io.StringIO(), width=200)
    with pytest.raises(NotFoundError) as refused:
        settle(workspace, request("two", "bias"), console)
    assert str(refused.value) == (
        "tiny has no step from 'bias' to 'two'; its steps are two after no-dropout and two after clip"
    )
    with pytest.raises(StudyError, match="name its arm, too"):
        settle(workspace, request(None, "clip"), console)
    with console.capture() as said:
        assert settle(workspace, request("two", "no-dropout"), console) == 0
    assert (
        said.get().strip() == "two after no-dropout is worse already: there is nothing to settle."
    )


@pytest.mark.slow
@pytest.mark.parametrize("seeds", ["4", "{ start = 3, most = 4 }"])
def test_settle_trains_both_arms_and_judges_the_step_again(
    seeds: str, sweep: Run, tmp_path: Path, study_text: str
) -> None:
    text = study_text.replace("seeds = 2", f"seeds = {seeds}") + STACK
    assert seeds in text
    (tmp_path / "s.toml").write_text(text)
    assert sweep(tmp_path, "run", "s.toml").returncode == 0

    def steps() -> dict[str, dict[str, Any]]:
        done = sweep(tmp_path, "report", "--format", "json")
        return {each["before"]: each for each in json.loads(done.stdout)["steps"]}

    before = steps()
    name = next(each for each, found in before.items() if found["seeds_to_settle"])
    done = sweep(tmp_path, "settle", "two", "--after", name, "--max-runs", 3)
    assert done.returncode == 0, done.stderr
    assert "Further seeds, also for the baseline: " in done.stdout
    assert steps()[name]["n"] == before[name]["n"] + 1
    assert sweep(tmp_path, "run", "s.toml").returncode == 0  # keeps them
    assert steps()[name]["n"] == before[name]["n"] + 1
