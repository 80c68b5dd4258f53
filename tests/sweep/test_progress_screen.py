"""What the live display shows, by terminal size; the numbers beside it; and what it costs."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from sweep.machine.usage import parse_gpu_use, resident_bytes
from sweep.progress.drawing import MEANINGS, draw, drawn_text
from sweep.progress.event_file import BaselineCurves
from sweep.progress.gauges import SHARE, Gauge
from sweep.progress.intervals import interval_marks
from sweep.progress.live import LiveProgress
from sweep.progress.screen import Screen, SlotRow, Standing, with_events
from sweep.progress.surroundings import Surroundings
from sweep.store.states import RunState
from sweep.terminal.console import SafeConsole
from tests.sweep.hand_clock import HandClock
from tests.sweep.jobs import make_gpt_job
from trainer.recipe import Recipe
from trainer.rundir.directory import Event

BASELINE = Standing(arm="baseline", ended=2, planned=5, mean=2.3)
WORSE = Standing(
    arm="rms-norm", ended=2, planned=5, effect=0.0042, low=0.0012, high=0.0072, verdict="worse"
)
BETTER = Standing(
    arm="no-dropout", ended=3, planned=5, effect=-0.0288, low=-0.04, high=-0.02, verdict="better"
)
ROW = SlotRow(slot="cpu 0", label="no-dropout/3", step=0, steps=100, memory=400_000_000)
SCREEN = Screen(
    total=20,
    ended=5,
    under_way=0.5,
    left="about 3 min left, until 14:32",
    failed=1,
    free_bytes=2_000_000_000,
    slots=[ROW],
    standings=[BASELINE, WORSE, BETTER],
)


@pytest.mark.parametrize("height", range(0, 40, 3))
@pytest.mark.parametrize("width", [1, 20, 40, 79, 119, 300])
def test_a_display_never_exceeds_the_terminal_and_always_says_how_far_it_is(
    width: int, height: int
) -> None:
    lines = draw(SCREEN, width, height)
    assert len(lines) <= max(1, height)
    assert all(len(line.plain) <= width for line in lines)
    assert width < 40 or "5/20" in lines[-1].plain


def test_the_arms_are_listed_from_the_lowest_effect_with_the_digits_of_the_report() -> None:
    lines = [line.plain.split() for line in draw(SCREEN, 79, 24)]
    assert [words[:3] for words in lines[1:4]] == [
        ["baseline", "2/5"],
        ["no-dropout", "3/5", "-0.029"],
        ["rms-norm", "2/5", "+0.0042"],
    ]


def test_a_line_says_what_the_verdicts_mean_where_there_is_room_for_it() -> None:
    words = "better, worse: not chance"
    assert any(line.plain.startswith(words) for line in draw(SCREEN, 79, 24))
    assert not any(line.plain.startswith(words) for line in draw(SCREEN, 79, 8))
    assert len("; ".join(f"{', '.join(each)}: {means}" for each, means in MEANINGS[:3])) <= 79


def test_a_terminal_without_unicode_gets_ascii() -> None:
    assert drawn_text(draw(SCREEN, 119, 30, unicode=False)).isascii()


def test_intervals_are_drawn_on_one_scale() -> None:
    empty, worse, better = interval_marks([BASELINE, WORSE, BETTER], 29)
    assert empty == ""
    assert better.index("●") < better.index("│") < worse.index("●")


def test_a_run_is_compared_with_its_seed_of_the_baseline_at_the_same_step(tmp_path: Path) -> None:
    events = tmp_path / "b3" / "events.jsonl"
    curves = BaselineCurves(tmp_path, lambda: {3: "b3"})
    own = {step: Event(step=step, loss=2.0 + step / 100) for step in (2, 4)}
    assert curves.difference(3, own) is None  # the baseline has not begun
    events.parent.mkdir()
    events.write_text(Event(step=2, loss=2.5).line)
    assert curves.difference(3, own) == pytest.approx(2.02 - 2.5)
    with events.open("a") as file:
        file.write(Event(step=4, loss=2.0).line + '{"step": 6, "lo')
    assert curves.difference(3, own) == pytest.approx(0.04)
    assert curves.difference(4, own) is None
    assert with_events(ROW, own, 0.04).step == 4
    assert with_events(ROW, {100: Event(step=100, loss=1.0)}, None).note == "evaluating"


def test_a_slow_gauge_is_read_so_rarely_that_it_costs_little() -> None:
    clock, spent, read = HandClock(), [0.0], [0]

    def measure() -> int:
        spent[0] += 0.1
        read[0] += 1
        return read[0]

    gauge = Gauge(measure, 0, clock=clock.monotonic, cost=lambda: spent[0])
    for _ in range(200):
        gauge.read()
        clock.pass_seconds(1)
    assert (spent[0] - 0.1) / 200 <= SHARE + 0.1 / 200
    assert gauge.value == read[0] > 2


def test_the_first_measurement_of_a_gauge_which_imports_modules_does_not_put_off_the_second() -> (
    None
):
    clock, spent = HandClock(), [0.0]

    def measure() -> int:
        spent[0] += 0.0 if spent[0] else 0.6
        return round(clock.monotonic())

    gauge = Gauge(measure, 0, least=5.0, clock=clock.monotonic, cost=lambda: spent[0])
    gauge.read()
    clock.pass_seconds(5)
    assert gauge.read() == round(clock.monotonic())


def test_memory_and_gpu_use_are_read() -> None:
    own = resident_bytes([os.getpid()])
    assert own is None or own > 2**20
    assert resident_bytes([]) is None
    assert parse_gpu_use("0, 97, 12000\n1, [N/A], 5\n") == {"0": (97, 12_000 * 2**20)}


def test_a_run_that_ends_while_the_arms_are_judged_is_judged_next() -> None:
    seeds = {"init": 1, "order": 1, "dropout": 1}
    job = make_gpt_job(Recipe.model_validate({"seeds": seeds}))
    judged = []

    def standings() -> list[Standing]:
        judged.append(1)
        if len(judged) == 1:
            progress.elsewhere(job, RunState.DONE)
        return [BASELINE]

    console = SafeConsole(file=io.StringIO(), force_terminal=True)
    progress = LiveProgress(console, {}, 1, surroundings=Surroundings(standings=standings))
    for _ in range(3):
        progress._standings = Gauge(progress._standings.measure, progress._standings.value, least=0)
        progress._update()
    assert len(judged) == 2
