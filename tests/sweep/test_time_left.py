"""The estimate of the time that is left, against recorded run times on a simulated clock."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from sweep.progress.time_left import Timed, TimeLeft
from sweep.progress.words import time_left_words
from sweep.workload.job import Job
from tests.sweep.hand_clock import HandClock
from tests.sweep.jobs import make_gpt_job
from trainer.recipe import Recipe

RECORDED = (6.1, 6.4, 5.9, 7.2, 6.0, 6.3, 8.8, 6.2, 6.1, 6.6, 5.8, 7.0, 6.4, 9.5, 6.2, 6.5, 6.3)
"""Seconds of runs of one arm, on a machine with other work."""


def jobs_of(arms: int, seeds: int, tokens: Callable[[int], int] = lambda _arm: 2048) -> list[Job]:
    """The jobs of a study, all arms with the first seed first; `tokens` by arm."""
    made = []
    for seed in range(seeds):
        for arm in range(arms):
            recipe = Recipe.model_validate(
                {
                    "train": {"tokens": tokens(arm) * 96, "batch_size": 1},
                    "evaluation": {"chunks": 1, "chunk_tokens": 1024},
                    "seeds": {"init": seed, "order": seed, "dropout": seed},
                }
            )
            made.append(make_gpt_job(recipe, family=f"arm {arm}"))
            object.__setattr__(made[-1], "run_id", f"{arm}/{seed}")
    return made


@dataclass
class Said:
    """An estimate and the truth, after so many runs had ended."""

    ended: int
    estimate: float | None
    truth: float


def train(
    jobs: Sequence[Job], slots: int, seconds: Callable[[int, float], float]
) -> tuple[list[Said], float]:
    """Simulate runs; `seconds` of the nth run that starts at a time. Estimates after each end."""
    clock = HandClock()
    times = TimeLeft(jobs, slots, clock.monotonic)
    said = [Said(0, times.seconds(), math.nan)]
    running: list[tuple[float, int]] = []
    waiting = list(enumerate(jobs))
    begun: dict[int, float] = {}
    ends: list[float] = [0.0]
    while waiting or running:
        while waiting and len(running) < slots:
            number, job = waiting.pop(0)
            times.started(job, 0)
            begun[number] = clock.watch
            heapq.heappush(running, (clock.watch + seconds(number, clock.watch), number))
        end, number = heapq.heappop(running)
        clock.pass_seconds(end - clock.watch)
        times.ended(jobs[number])
        ends.append(clock.watch)
        for end, number in running:  # as their events tell
            share = (clock.watch - begun[number]) / (end - begun[number])
            times.advanced(jobs[number], int(share * jobs[number].spec.cost.steps))
        said.append(Said(len(said), times.seconds(), math.nan))
    for each, end in zip(said, ends, strict=True):
        each.truth = clock.watch - end
    return said, clock.watch


def check(said: Sequence[Said], *, since: float = 0.1, until: float = 1.0) -> None:
    """Every estimate between these shares of the runs is within a factor of 1.5 of the truth."""
    total = len(said) - 1
    least = max(each.truth for each in said[1:]) / total  # the last runs are short of anything
    for each in said:
        if max(1, since * total) <= each.ended < until * total:
            assert each.estimate is not None, each
            assert each.estimate < 1.5 * each.truth + least, each
            assert each.estimate > each.truth / 1.5 - least, each


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_from_a_tenth_of_the_runs_on_the_estimate_is_within_a_factor_of_one_and_a_half(
    slots: int,
) -> None:
    jobs = jobs_of(10, 5)
    said, _ = train(jobs, slots, lambda number, _now: RECORDED[number % len(RECORDED)])
    assert said[0].estimate is None
    check(said)


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_an_arm_that_costs_more_than_its_floating_point_operations_is_learnt(slots: int) -> None:
    """The last two of six arms take four times as long, with the operations of the others."""
    jobs = jobs_of(6, 10)
    factor = (1, 1, 1, 1, 4, 4)
    said, _ = train(
        jobs, slots, lambda number, _now: factor[number % 6] * RECORDED[number % len(RECORDED)]
    )
    check(said, since=0.2)


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_an_arm_with_twice_the_tokens_is_scaled_before_any_of_it_has_ended(slots: int) -> None:
    jobs = jobs_of(4, 5, lambda arm: 2048 * (1 + arm // 2))
    said, _ = train(jobs, slots, lambda number, _now: 6.0 * (1 + number % 4 // 2))
    check(said)


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_a_machine_that_becomes_half_as_fast_is_noticed(slots: int) -> None:
    jobs = jobs_of(5, 20)
    half = 50 * 6.5 / slots
    said, _ = train(
        jobs,
        slots,
        lambda number, now: RECORDED[number % len(RECORDED)] * (2 if now > half else 1),
    )
    check(said, since=0.7)


def test_a_run_that_continues_or_diverges_does_not_spoil_the_estimate() -> None:
    jobs, clock = jobs_of(1, 10), HandClock()
    times = TimeLeft(jobs, 1, clock.monotonic)
    steps = jobs[0].spec.cost.steps
    times.started(jobs[0], steps // 2)  # a checkpoint of an earlier command
    clock.pass_seconds(50)
    times.ended(jobs[0])
    assert times.seconds() == pytest.approx(9 * 100, rel=0.2)
    times.started(jobs[1], 0)
    clock.pass_seconds(1)
    times.ended(jobs[1], diverged_after=steps // 100)
    assert times.seconds() == pytest.approx(8 * 100, rel=0.2)
    times.started(jobs[2], 0)
    clock.pass_seconds(30)
    times.advanced(jobs[2], steps * 3 // 10)
    times.stopped(jobs[2])
    assert times.seconds() == pytest.approx(7 * 100 + 70, rel=0.2)
    times.gave_up(jobs[3])
    assert times.seconds() == pytest.approx(6 * 100 + 70, rel=0.2)


def test_a_second_command_that_shares_the_work_halves_the_time() -> None:
    jobs, clock = jobs_of(1, 40), HandClock()
    times = TimeLeft(jobs, 1, clock.monotonic)
    for ours, theirs in zip(jobs[:10:2], jobs[1:10:2], strict=True):
        times.started(ours, 0)
        clock.pass_seconds(60)
        times.ended(ours)
        times.ended_elsewhere(theirs)
    assert times.seconds() == pytest.approx(15 * 60)


def test_the_last_runs_do_not_fill_all_slots() -> None:
    jobs = jobs_of(1, 9)
    said, _ = train(jobs, 8, lambda _number, _now: 10.0)
    assert said[8].estimate == said[8].truth == 10.0


def test_an_estimate_is_rounded_and_says_when_the_runs_end() -> None:
    now = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))  # a Wednesday
    hours = 3_600

    def words(seconds: float) -> str:
        return time_left_words(None, seconds, now=now)

    assert words(0.2) == "about 5 s left, until 12:00"
    assert words(412) == "about 6 min 50 s left, until 12:06"
    assert words(1_355) == "about 23 min left, until 12:22"
    assert words(2.6 * hours) == "about 2 h 40 min left, until 14:36"
    assert words(13 * hours).endswith("left, until tomorrow 01:00")
    assert words(50 * hours).endswith("left, until Fri 14:00")
    assert words(24 * 20 * hours).endswith("left, until 2026-03-24 12:00")


def test_a_guess_is_called_a_guess_until_runs_have_ended() -> None:
    jobs, clock = jobs_of(1, 10), HandClock()
    times = TimeLeft(jobs, 1, clock.monotonic)
    steps = jobs[0].spec.cost.steps
    times.started(jobs[0], 0)
    assert (times.seconds(), times.guess()) == (None, None)
    assert time_left_words(None, None, None) == "first runs will tell how long"
    clock.pass_seconds(10)
    times.advanced(jobs[0], steps // 10)
    assert times.seconds() is None
    assert times.guess() == pytest.approx(990, rel=0.2)
    assert times.under_way == pytest.approx(0.1, rel=0.2)
    assert time_left_words(None, times.seconds(), 990) == "a guess: 16 min left"
    clock.pass_seconds(90)
    times.ended(jobs[0])
    assert times.seconds() == pytest.approx(900)
    assert times.under_way == 0


def test_five_thousand_runs_are_estimated_at_once() -> None:
    job = jobs_of(1, 1)[0]
    jobs = [Job(**{**vars(job), "run_id": str(number)}) for number in range(5_000)]
    clock = HandClock()
    times = TimeLeft(jobs, 8, clock.monotonic)
    for one in jobs[:8]:
        times.started(one, 0)
    clock.pass_seconds(10)
    for one in jobs[:8]:
        times.ended(one)
    assert times.seconds() == pytest.approx(10 * (5_000 - 8) / 8)


class Growing(list[Timed]):
    """To each look at its last items, the first run of another arm has been added."""

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401  (as a list's)
        self.append(Timed("another arm", 1.0, 1.0))
        return super().__getitem__(key)


def test_a_run_that_ends_while_a_display_estimates_the_time_does_no_harm() -> None:
    jobs, clock = jobs_of(1, 3), HandClock()
    times = TimeLeft(jobs, 1, clock.monotonic)
    times.started(jobs[0], 0)
    clock.pass_seconds(10)
    times.ended(jobs[0])
    times._timed = Growing(times._timed)
    assert times.guess() == times.seconds() == pytest.approx(20)
