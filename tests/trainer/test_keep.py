"""Files that a run keeps: weights and checkpoints, their cost, and a full disk."""

from __future__ import annotations

import contextlib
import io
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model.gpt import GPT
from tests.disks import PAGE, fill_disk, small_disk
from trainer.corpora.corpus import Corpus
from trainer.errors import CheckpointError
from trainer.execution import Execution
from trainer.recipe import Recipe, vocabulary_size
from trainer.rundir.directory import Result, RunDirectory
from trainer.rundir.exits import Exit
from trainer.training import loop
from trainer.training.checkpoint import Checkpoint, Checkpoints
from trainer.training.evaluate import evaluate
from trainer.training.loop import Session, train
from trainer.training.world import Place

CPU = Place(torch.device("cpu"))
EACH_STEP = Place(CPU.device, Execution(checkpoint_seconds=0))
ALWAYS = {"recipe.json", "lock", "events.jsonl", "result.json"}

Attempt = Callable[..., int]
MakeRun = Callable[..., RunDirectory]
MakeRecipe = Callable[..., Recipe]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def computed(result: Result | None) -> object:
    assert result
    return result.test_loss, result.chunk_losses, result.last_loss, result.steps


@pytest.mark.parametrize("tied", [True, False])
def test_the_kept_weights_give_the_test_loss_of_the_result(
    make_run: MakeRun, attempt: Attempt, corpus: Corpus, tied: bool
) -> None:
    run = make_run("run", {"model.tie_embeddings": tied}, keep="weights", checkpoint_seconds=0)
    assert attempt(run) == Exit.DONE
    assert names(run.path) == {*ALWAYS, "log.txt", "weights.safetensors"}
    recipe, result = run.read_request().recipe, run.read_result()
    model = GPT(recipe.model, vocabulary_size(recipe.data.tokenizer))
    weights = load_file(run.weights)
    assert weights.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        parameter.data.copy_(weights[name])
    test = evaluate(model, corpus, recipe, CPU)
    assert result
    assert (test.nats_per_token, test.chunks) == (result.test_loss, result.chunk_losses)
    assert run.weights.stat().st_mode & 0o444 == 0o444


def test_keep_nothing_keeps_no_weights(make_run: MakeRun, attempt: Attempt) -> None:
    run = make_run("run", keep="weights", checkpoint_seconds=0)
    assert attempt(run) == Exit.DONE
    kept = computed(run.read_result())
    run.result.unlink()
    make_run("run", keep="nothing", checkpoint_seconds=0)
    assert attempt(run) == Exit.DONE
    assert names(run.path) == {*ALWAYS, "log.txt"}
    assert computed(run.read_result()) == kept


def test_weights_of_an_earlier_run_do_not_outlive_their_result(
    make_run: MakeRun, attempt: Attempt
) -> None:
    run = make_run("run")
    assert attempt(run) == Exit.DONE
    assert run.weights.exists()
    run.result.unlink()
    make_run("run", {"optimizer.learning_rate": 1e3})
    assert attempt(run) == Exit.DONE
    result = run.read_result()
    assert result
    assert result.state == "diverged"
    assert not run.weights.exists()


@dataclass
class Clock:
    """A clock by which a step takes a hundredth of a second."""

    now: float = 0.0

    def step(self) -> bool:
        """Never stop; advances the clock by a step."""
        self.now += 0.01
        return False

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


class Slow(Checkpoints):
    """Checkpoints that take their time, in seconds of the clock, and remember when they did."""

    def __init__(self, folder: Path, clock: Clock, *seconds: float) -> None:
        super().__init__(folder, "1" * 64)
        self.clock = clock
        self.seconds = seconds
        self.saves: list[tuple[float, float]] = []

    def save(self, checkpoint: Checkpoint) -> None:
        took = self.seconds[len(self.saves) % len(self.seconds)]
        self.saves.append((self.clock.now, took))
        self.clock.now += took
        super().save(checkpoint)


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [(1e-6, [0.005]), (0.5, [0.01, 0.0]), (0.5, [5.0]), (0.9, [0.001])],
)
def test_checkpoints_take_at_most_1_percent_of_the_time_and_keep_their_interval(
    tmp_path: Path,
    corpus: Corpus,
    make_recipe: MakeRecipe,
    monkeypatch: pytest.MonkeyPatch,
    interval: float,
    seconds: list[float],
) -> None:
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    checkpoints = Slow(tmp_path / "checkpoints", clock, *seconds)
    place = Place(CPU.device, Execution(checkpoint_seconds=interval))
    recipe = make_recipe({"train.tokens": 8 * 16 * 250})
    session = Session(checkpoints=checkpoints, should_stop=clock.step)
    train(recipe, corpus, None, place, session)
    starts, took = zip(*checkpoints.saves, strict=True)
    assert sum(took) <= 0.01 * clock.now + max(took)
    gaps = [b - a for a, b in zip((0.0, *starts), starts, strict=False)]
    assert min(gaps) >= interval
    assert max(gaps) <= max(interval, loop.CHECKPOINT_TIME_RATIO * max(took)) + max(took) + 0.011


class Refusing(Checkpoints):
    """Checkpoints on a disk that is full from one step to another."""

    full = range(0)

    def save(self, checkpoint: Checkpoint) -> None:
        if checkpoint.step in self.full:
            raise CheckpointError(f"no room for {checkpoint.step}")
        super().save(checkpoint)


def test_a_checkpoint_that_cannot_be_written_is_noted_once_and_retried(
    tmp_path: Path, corpus: Corpus, recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Refusing(tmp_path / "checkpoints", "1" * 64)
    checkpoints.full = range(3, 7)
    result = train(recipe, corpus, None, EACH_STEP, Session(checkpoints=checkpoints))
    assert computed(result) == computed(train(recipe, corpus, None, CPU))
    assert result.notes == ["no room for 3"]
    assert capsys.readouterr().err == "no room for 3\n"
    newest = checkpoints.latest(pytest.fail)
    assert newest
    assert newest.step == 12
    assert newest.progress["notes"] == ["no room for 3"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_curve_that_cannot_be_written_does_not_stop_the_run(
    corpus: Corpus, recipe: Recipe
) -> None:
    with contextlib.suppress(OSError), Path("/dev/full").open("a") as events:
        result = train(recipe, corpus, events, CPU)
    assert computed(result) == computed(train(recipe, corpus, None, CPU))


def test_a_continued_run_does_not_repeat_the_note_about_its_precision(
    tmp_path: Path, corpus: Corpus, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe({"train.precision": "bfloat16"})
    checkpoints = Checkpoints(tmp_path / "checkpoints", "1" * 64)
    for ratio in (3.0, 4.0, 5.0):
        monkeypatch.setattr("trainer.training.precision.slowdown", lambda *_, ratio=ratio: ratio)
        answers = iter([False, False, False, True])
        resume = checkpoints.latest(pytest.fail)
        session = Session(checkpoints, resume, should_stop=lambda: next(answers))  # noqa: B023
        with pytest.raises(loop.RunStoppedError):
            train(recipe, corpus, io.StringIO(), EACH_STEP, session)
    result = train(recipe, corpus, None, CPU, Session(resume=checkpoints.latest(pytest.fail)))
    [note] = result.notes
    assert note.startswith('train.precision = "bfloat16" takes 3.0 times as long as float32 on ')


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Room for two megabytes."""
    with small_disk(tmp_path / "disk", 2**21) as made:
        yield made


@pytest.fixture
def crowded(disk: Path, make_run: MakeRun, attempt: Attempt) -> Callable[..., RunDirectory]:
    """Makes a run that was killed in its fourth step, on a disk that is nearly full since."""

    def make(**execution: Any) -> RunDirectory:  # noqa: ANN401  (whatever the settings are)
        execution = {"checkpoint_seconds": 0, **execution}
        run = make_run("disk/run", None, **execution)
        (disk / "cache").symlink_to(disk.parent / "cache")
        assert attempt(run, step=4) == -signal.SIGKILL
        fill_disk(disk, leave=6 * PAGE)
        return run

    return make


def test_a_run_continues_if_the_disk_has_no_space_for_checkpoints(
    crowded: Callable[..., RunDirectory], attempt: Attempt, corpus: Corpus, recipe: Recipe
) -> None:
    run = crowded(keep="nothing")
    assert attempt(run, step=4) == -signal.SIGKILL
    assert names(run.checkpoints) == {"step-0000000002", "step-0000000003"}
    assert attempt(run, signal=signal.SIGTERM, step=4) == Exit.STOPPED
    assert attempt(run) == Exit.DONE
    assert names(run.path) == {*ALWAYS, "log.txt"}
    result = run.read_result()
    assert computed(result) == computed(train(recipe, corpus, None, CPU))
    assert [event.step for event in run.read_events()] == list(range(1, 13))
    assert result
    [note] = result.notes
    assert note.startswith(f"the checkpoint of step 4 cannot be written to {run.checkpoints} (")
    assert "No space left on device" in note
    assert note.endswith("; the run continues without it, and earlier checkpoints are intact")


def test_a_full_disk_while_saving_weights_is_reported_and_loses_nothing(
    crowded: Callable[..., RunDirectory], attempt: Attempt, disk: Path
) -> None:
    run = crowded(keep="weights")
    assert attempt(run) == Exit.DISK_FULL
    assert run.last_log_line().startswith(f"{run.weights} cannot be written (")
    assert 'set jobs.keep to "nothing", and run again' in run.last_log_line()
    assert "Traceback" not in run.log.read_text()
    assert names(run.checkpoints) == {"step-0000000002", "step-0000000003"}
    (disk / "filler").unlink()
    assert attempt(run) == Exit.DONE
    assert names(run.path) == {*ALWAYS, "log.txt", "weights.safetensors"}
