"""A race with a real store, queue and scheduler, and an executor that trains nothing."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.pictures.figure import Dots, Ribbon
from sweep.commands.report import print_report
from sweep.figures.registry import FIGURES
from sweep.figures.source import Source
from sweep.progress.plain import PlainProgress
from sweep.queue.queue import Queue
from sweep.running.budget import NO_BUDGET, Budget
from sweep.running.scheduler import Scheduler
from sweep.running.settings import Settings
from sweep.store.store import Store
from sweep.study.jobs_section import Jobs
from sweep.verdicts.racing import race_standing
from tests.sweep.race_command import Command, Content
from tests.sweep.rehearsal import Behaviour
from trainer.rundir.directory import Event, Result, RunDirectory
from trainer.rundir.exits import Exit

EFFECTS = {"baseline": 0.0, "no-dropout": -0.5, "clip": 0.0}
MOST = 6


def arm_of(recipe: Any) -> str:  # noqa: ANN401  (a Recipe)
    if recipe.optimizer.clip_norm is not None:
        return "clip"
    return "baseline" if recipe.model.dropout else "no-dropout"


@pytest.fixture
def behave(make_result: Callable[..., Result], events: list[Event]) -> Behaviour:
    """`no-dropout` is far better in every seed; `clip` is now better, now worse."""

    def run(directory: RunDirectory, _number: int) -> int:
        recipe = directory.read_request().recipe
        arm, seed = arm_of(recipe), recipe.seeds.init
        noise = 0.01 * (-1) ** seed if arm == "clip" else 0.001 * seed * len(arm)
        loss = 2.5 + seed / 16 + EFFECTS[arm] + noise
        directory.events.write_text("".join(f"{event.model_dump_json()}\n" for event in events))
        directory.write_result(make_result(test_loss=loss))
        return Exit.DONE

    return run


@pytest.fixture
def race_content(content: Content) -> Content:
    content["baseline"].setdefault("model", {})["dropout"] = 0.1
    content["design"]["seeds"] = {"start": 3, "most": MOST}
    content["analysis"]["smallest_effect"] = 1e-6
    return content


Make = Callable[..., Command]


@pytest.fixture
def make(store: Store, tmp_path: Path, race_content: Content, behave: Behaviour) -> Make:
    def command(content: Content = race_content, of: Store = store) -> Command:
        return Command(of, tmp_path, content, behave)

    return command


EXPECTED = {
    *(("no-dropout", seed) for seed in (1, 2, 3)),
    *((arm, seed) for arm in ("baseline", "clip") for seed in range(1, MOST + 1)),
}


def test_only_undecided_arms_and_the_baseline_get_further_seeds(make: Make) -> None:
    command = make()
    summary = command()
    assert command.cells == EXPECTED
    assert summary.finished == len(command.executor.started) == len(EXPECTED)
    said = command.seen.getvalue()
    assert "better after 3 seeds: no-dropout" in said
    assert f"{len(EXPECTED)}/{len(EXPECTED)}  " in said
    standing = race_standing(command.store, command.store.study("tiny"))
    assert (standing.look, standing.active, standing.wanted) == (MOST, ["clip"], [])


def test_the_same_command_trains_nothing_twice(make: Make) -> None:
    make()()
    again = make()
    assert again().finished == 0
    assert not again.executor.started
    assert again.cells == EXPECTED


@pytest.mark.parametrize("after", [1, 4, 9, 11])
def test_an_interrupted_race_goes_on_where_it_was(make: Make, after: int) -> None:
    first = make()
    first.executor.behave = stopping_after(first, after)
    assert first().interrupted
    second = make()
    second()
    assert second.cells == EXPECTED
    started = [path.name for path in first.executor.started + second.executor.started]
    finished = first.executor.started[: after - 1]
    assert not {path.name for path in finished} & {path.name for path in second.executor.started}
    assert len(set(started)) == len(EXPECTED)


def stopping_after(command: Command, runs: int) -> Behaviour:
    behave = command.executor.behave

    def run(directory: RunDirectory, number: int) -> int | None:
        if len(command.executor.started) >= runs:
            command.scheduler.stop()
        return behave(directory, number)

    return run


def test_two_schedulers_race_together_and_train_each_run_once(
    make: Make, open_store: Callable[[], Store]
) -> None:
    commands = [make(of=open_store()) for _ in range(2)]
    threads = [
        threading.Thread(target=command, args=(f"me:{number}:{number}",))
        for number, command in enumerate(commands, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert commands[0].cells == EXPECTED
    started = Counter(path.name for each in commands for path in each.executor.started)
    assert len(started) == len(EXPECTED)
    assert set(started.values()) == {1}


def test_a_budget_of_runs_ends_a_race_before_a_round_that_does_not_fit(make: Make) -> None:
    command = make()
    summary = command(budget=Budget(max_runs=12))
    assert summary.spent
    assert summary.finished == 11  # a round of two runs follows the nine of the start
    standing = race_standing(command.store, command.store.study("tiny"))
    assert (standing.look, standing.verdicts) == (4, {"no-dropout": "better"})
    assert not make()(budget=Budget(max_runs=12)).spent
    assert command.cells == EXPECTED


def test_a_budget_within_the_start_leaves_whole_seeds(make: Make) -> None:
    command = make()
    assert command(budget=Budget(max_runs=6)).spent
    runs = command.store.study_runs("tiny")
    assert {each.seed for each in runs if each.run.state == "done"} == {1, 2}


def test_no_run_starts_after_the_time_is_over(make: Make) -> None:
    command = make()
    summary = command(budget=Budget(max_seconds=0.0))
    assert summary.spent
    assert not command.executor.started


def test_more_seeds_later_go_to_the_arms_that_are_open(make: Make, race_content: Content) -> None:
    make()()
    race_content["design"]["seeds"]["most"] = MOST + 2
    later = make(race_content)
    later()
    further = {(arm, MOST + n) for arm in ("baseline", "clip") for n in (1, 2)}
    assert later.cells == EXPECTED | further
    assert len(later.executor.started) == len(further)
    standing = race_standing(later.store, later.store.study("tiny"))
    assert standing.verdicts == {"no-dropout": "better"}


def test_a_failed_run_does_not_hold_up_a_race(make: Make) -> None:
    command = make()
    behave = command.executor.behave

    def failing(directory: RunDirectory, number: int) -> int | None:
        recipe = directory.read_request().recipe
        if (arm_of(recipe), recipe.seeds.init) == ("clip", 2):
            return 1
        return behave(directory, number)

    command.executor.behave = failing
    summary = command()
    assert (summary.failed, command.cells) == (1, EXPECTED)
    again = make()
    assert again().finished == 1  # and the same command tries it again


def test_runs_of_another_study_are_not_trained_again(make: Make, race_content: Content) -> None:
    race_content["name"] = "other"
    race_content["design"]["seeds"] = 4
    other = make(race_content)
    with other.store:
        queue = Queue(other.store, "me:1:1")
        queue.enqueue(other.workload.jobs().values())
        watcher = PlainProgress(Console(file=io.StringIO()), {}, 12)
        folder = other.folder / "runs"
        scheduler = Scheduler(queue, other.executor, folder, watcher, Settings(Jobs()))
        scheduler.run(other.workload.jobs().values())
    race_content["name"] = "tiny"
    race_content["design"]["seeds"] = {"start": 3, "most": MOST}
    command = make(race_content)
    command()
    assert command.cells == EXPECTED
    assert len(command.executor.started) == 2 * (MOST - 4)


def test_the_report_says_how_far_a_race_has_come(make: Make) -> None:
    command = make()
    command(budget=Budget(max_runs=9))
    assert "Race with 3 to 6 seeds: 1 of 2 arms decided; `sweep run` goes on with clip." in table(
        command
    )
    command(budget=NO_BUDGET)
    said = table(command)
    assert "Race with 3 to 6 seeds: 1 of 2 arms decided; it is over." in said
    assert (
        "on e-values over 3 seeds (p = 1 / e-value), which hold at every look: no-dropout" in said
    )
    assert "`sweep settle clip` trains them" in said


def test_the_figure_shows_intervals_that_narrow_and_where_an_arm_has_left(make: Make) -> None:
    command = make()
    command()
    drawn = FIGURES["race"].make(Source(command.store, command.store.study("tiny")))
    assert drawn
    panels = {panel.title: panel for panel in drawn.panels}
    left, racing = panels["no-dropout"], panels["clip"]
    [area] = [mark for mark in racing.marks if isinstance(mark, Ribbon)]
    assert [seeds for seeds, _, _ in area.points] == [3, 4, 5, 6]
    widths = [high - low for _, low, high in area.points]
    assert widths[-1] < widths[0]
    assert not [mark for mark in racing.marks if isinstance(mark, Dots)]
    [sign] = [mark for mark in left.marks if isinstance(mark, Dots)]
    assert (sign.points[0][0], sign.shape) == (3, "diamond")
    assert "no-dropout better after 3 seeds, " in drawn.summary
    assert "clip undecided after 6 seeds, still in the race, " in drawn.summary


def test_a_race_has_no_figure_before_its_first_round_has_ended(make: Make) -> None:
    command = make()
    command(budget=Budget(max_runs=1))
    assert FIGURES["race"].make(Source(command.store, command.store.study("tiny"))) is None


def table(command: Command) -> str:
    console = Console(file=io.StringIO(), width=400, markup=False, highlight=False)
    with console.capture() as said:
        print_report(command.store, command.store.study("tiny"), console)
    return said.get()
