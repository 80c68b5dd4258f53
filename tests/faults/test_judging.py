"""Fine-tunes in the queue: killed, without a scheduler, with two of them, on a full disk."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.disks import fill_disk, small_disk
from tests.faults.terminal import Terminal, end, send, steps, trainers, wait_for
from tests.forked_command import ForkedCommand
from tests.zygote import Zygote
from trainer.rundir.directory import RunDirectory

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

JOBS = "checkpoint_seconds = 0\nretries = 9\nretry_seconds = 0\n"
ITEMS = [{"instruction": f"Say {n}", "input": "", "output": f"{n} again"} for n in range(24)]
STEPS = 40
"""Of a fine-tune: eight epochs of five."""
SETTINGS = (
    *("batch_size=4", "max_epochs=8", "stop=never", "learning_rate=0.01"),
    *("answer_tokens=40", "prompt=short", "long_items=cut"),
)
JUDGE = ("judge", "s.toml", "--data", "d.json", *(w for s in SETTINGS for w in ("--set", s)))
ONE_SLOT = (*JUDGE, "--slots", "1")
SCORES = "SELECT * FROM metrics WHERE name LIKE 'instruction%' ORDER BY run_id, name"
CURVES = """SELECT run_id, step, loss FROM curves JOIN runs ON runs.id = run_id
    WHERE corpus_hash = '' ORDER BY run_id, step"""
ATTEMPTS = """SELECT COUNT(*), COUNT(DISTINCT run_id) FROM attempts JOIN runs ON runs.id = run_id
    WHERE corpus_hash = ''"""
Open = Callable[[Path], Terminal]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Path:
    """The folder of a study of three runs that is to be judged."""
    terminal = Terminal(zygote, tmp_path_factory.mktemp("trained"), JOBS, steps=5)
    (terminal.folder / "d.json").write_text(json.dumps(ITEMS))
    assert "3/3" in terminal.sweep("run", "s.toml")
    return terminal.folder


@pytest.fixture(scope="module")
def expected(trained: Path, tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> object:
    """What is computed without a disturbance."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("undisturbed") / "study")
    terminal = Terminal(zygote, folder, JOBS, steps=5)
    terminal.sweep(*JUDGE)
    return computed(terminal)


@pytest.fixture
def terminal(trained: Path, tmp_path: Path, zygote: Zygote) -> Iterator[Terminal]:
    """A terminal in a copy of that folder, whose runs are on a disk of their own if one can be made."""
    folder = tmp_path / "study"
    folder.mkdir()
    opened = Terminal(zygote, folder, JOBS, steps=5)
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    yield opened
    opened.close()


def fine_tunes(terminal: Terminal) -> list[RunDirectory]:
    found = terminal.folder.glob("runs/*/instructions.json")
    return [RunDirectory(path.parent) for path in found]


def computed(terminal: Terminal) -> object:
    """Answers, losses, curves and scores of all fine-tunes."""
    found = {}
    for run in fine_tunes(terminal):
        result = run.read_result()
        assert result
        losses = result.provenance["validation_losses"]
        found[run.path.name] = (run.answers.read_bytes(), result.metrics, losses)
    return found, terminal.rows(SCORES), terminal.rows(CURVES)


def tuners(terminal: Terminal) -> list[int]:
    return trainers(*fine_tunes(terminal))


def steps_taken(terminal: Terminal) -> int:
    return sum(map(steps, fine_tunes(terminal)))


def begun(terminal: Terminal, command: ForkedCommand, after: int) -> int:
    """Wait until so many steps were taken, and suspend the fine-tune that is at work."""
    wait_for(lambda: steps_taken(terminal) >= after and tuners(terminal), command)
    (pid,) = tuners(terminal)
    send(pid, signal.SIGSTOP)
    return pid


MOMENTS = (1, 17, STEPS, STEPS + 11, 2 * STEPS)
"""Steps of all three fine-tunes: in steps, and where the first and the second write answers."""


def test_killed_fine_tunes_go_on_and_end_with_the_same_bits(
    terminal: Terminal, expected: object
) -> None:
    command = terminal.start(*ONE_SLOT)
    for moment in MOMENTS:
        send(begun(terminal, command, moment), signal.SIGKILL)
    said = end(command)
    assert said.count("SIGKILL") >= 1
    assert computed(terminal) == expected


def test_the_fine_tunes_of_a_killed_scheduler_go_on_with_the_next_one(
    terminal: Terminal, expected: object
) -> None:
    for moment in MOMENTS:
        command = terminal.start(*ONE_SLOT)
        wait_for(lambda moment=moment: steps_taken(terminal) >= moment, command)
        command.kill()
        command.communicate()
        wait_for(lambda: not tuners(terminal))
    assert "instruction score (chrF)" in terminal.sweep(*ONE_SLOT)
    assert computed(terminal) == expected


def test_two_schedulers_make_each_fine_tune_once(terminal: Terminal, expected: object) -> None:
    commands = [terminal.start(*ONE_SLOT) for _ in range(2)]
    for command in commands:
        assert "instruction score (chrF)" in end(command)
    assert terminal.rows(ATTEMPTS) == [(3, 3)]
    assert computed(terminal) == expected


def test_a_fine_tune_waits_while_the_disk_is_full(terminal: Terminal, expected: object) -> None:
    runs, aside = terminal.folder / "runs", terminal.folder / "aside"
    runs.rename(aside)
    with small_disk(runs, 12 * 2**20) as disk:
        shutil.copytree(aside, disk, dirs_exist_ok=True)
        command = terminal.start(*ONE_SLOT)
        pid = begun(terminal, command, 7)
        filler = fill_disk(disk, leave=0)
        send(pid, signal.SIGCONT)
        wait_for(lambda: not trainers(*fine_tunes(terminal)), command)
        filler.unlink()
        said = end(command)
        assert "Waiting: " in said
        assert "free some space" in said
        assert computed(terminal) == expected
