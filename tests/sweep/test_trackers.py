"""Every tracker has each run whole and once, whatever ends; none holds a run up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from sweep.study.tracker_names import TrackerName
from sweep.trackers import channel
from sweep.trackers.base import TrackedRun, Verdicts, flat_parameters
from sweep.trackers.channel import Channel
from sweep.trackers.messages import Advanced, Ended, Judged, Started, Stopped
from sweep.trackers.mlflow import how_to_look
from sweep.trackers.registry import TRACKERS
from sweep.trackers.tracking import TrackedStudy, Tracking
from tests.patience import PATIENCE
from tests.sweep import tracker_readers
from tests.sweep.conftest import Run
from trainer.rundir.directory import Event, Result, RunDirectory

STEPS = 6
FIRST = "tensorboard"
"""The tracker that every installation for development has."""
VERDICTS = Verdicts(
    study="tiny",
    columns=["arm", "effect", "verdict"],
    rows=[["baseline", None, None], ["clip", -0.25, "better"]],
    markdown="| arm | verdict |\n|---|---|\n| clip | better |\n",
)


def event(step: int) -> Event:
    return Event(
        step=step, loss=1 / 2**step, learning_rate=0.1, grad_norm=1.0, tokens_per_second=1.0
    )


def write(run: TrackedRun, steps: int, result: Result | None = None) -> None:
    """The files of a run that has taken some steps."""
    directory = RunDirectory(Path(run.directory))
    directory.path.mkdir(exist_ok=True)
    directory.events.write_text("".join(event(step).line for step in range(1, steps + 1)))
    if result:
        directory.write_result(result)


def tracked_run(folder: Path, arm: str = "clip", seed: str = "1") -> TrackedRun:
    return TrackedRun(
        study="tiny",
        arm=arm,
        seed=seed,
        run_id=f"{arm}{seed}" * 8,
        directory=str(folder / f"{arm}-{seed}"),
        parameters={"model.width": 16, "data.corpus": "text"},
    )


@dataclass(frozen=True)
class Told:
    """What a tracker has after a story of three commands, and what these said."""

    found: dict[str, Any]
    said: list[str]


def wait_for(channel: Channel, handled: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while channel.handled < handled:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name != FIRST)) for name in TRACKERS],
)
def told(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    make_result: Callable[..., Result],
) -> Told:
    """A command that is killed with its tracker, the one that continues it, and a third one."""
    name = request.param
    if not TRACKERS[name].is_installed:
        pytest.skip(f"{name} is not installed: pip install '.[{name}]'")
    folder = tmp_path_factory.mktemp(name)
    run, other = tracked_run(folder), tracked_run(folder, "baseline")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        write(run, 2)
        killed = Channel(name, folder / "trackers", said.append)
        killed.put(Started(run=run))
        killed.put(Advanced(key=run.key, event=event(3)))
        wait_for(killed, 2)
        assert killed._process is not None
        killed._is_closing = True  # not to be told of
        os.killpg(killed._process.pid, signal.SIGKILL)

        write(run, 5)
        second = Channel(name, folder / "trackers", said.append)
        second.put(Started(run=run))
        for step in (2, 3, 6):  # a resumed run repeats steps
            second.put(Advanced(key=run.key, event=event(step)))
        write(run, STEPS, make_result(test_loss=2.5, steps=STEPS))
        write(other, STEPS, make_result(test_loss=2.75, steps=STEPS))
        second.put(Stopped(key=run.key))
        second.put(Started(run=run))  # a further attempt of the same command
        second.put(Ended(run=run))  # told when it ends, and at the end of the command again
        last = [Ended(run=run), Ended(run=other), Judged(verdicts=VERDICTS)]
        second.finish(last, PATIENCE)
        third = Channel(name, folder / "trackers", said.append)
        third.finish(last, PATIENCE)
        assert third.link
    command = [sys.executable, tracker_readers.__file__, name, str(folder / "trackers")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return Told(json.loads(done.stdout.splitlines()[-1]), said)


def test_each_run_has_every_point_once_though_a_command_was_killed(told: Told) -> None:
    assert told.said == []
    assert {name: run["points"] for name, run in told.found["runs"].items()} == {
        name: [[step, 1 / 2**step] for step in range(1, STEPS + 1)]
        for name in ("clip/1", "baseline/1")
    }


def test_runs_have_their_arm_as_a_group_and_their_parameters(told: Told) -> None:
    run = told.found["runs"]["clip/1"]
    assert run["group"] == "clip"
    assert int(run["parameters"]["model.width"]) == 16
    assert run["parameters"]["data.corpus"] == "text"


def test_runs_have_the_test_loss_once_also_those_that_were_found_finished(told: Told) -> None:
    assert {name: run["test_losses"] for name, run in told.found["runs"].items()} == {
        "clip/1": [2.5],
        "baseline/1": [2.75],
    }


def test_the_verdicts_are_attached_once(told: Told) -> None:
    assert len(told.found["verdicts"]) == 1
    assert "better" in told.found["verdicts"][0]


def test_verdicts_replace_earlier_ones_and_no_run_of_an_arm_called_verdicts(tmp_path: Path) -> None:
    tracker = TRACKERS[FIRST].make(tmp_path)
    tracker.open(tracked_run(tmp_path, "verdicts")).stop()
    tracker.attach(VERDICTS)
    before = {*tmp_path.rglob("events*")}
    tracker.attach(VERDICTS.model_copy(update={"markdown": "other"}))
    after = {*tmp_path.rglob("events*")}
    assert (len(before & after), len(after)) == (1, 2)
    assert [file.parent.name[:1] for file in before & after] == ["1"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "mlflow ui --backend-store-uri 'sqlite:///a b/mlflow.db'"),
        ("https://me:secret@host:5000/x", "https://host:5000/x"),
        ("postgresql://me:secret@host/x", 'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"'),
    ],
)
def test_the_way_to_look_at_mlflow_can_be_typed_and_tells_no_password(
    given: str, said: str
) -> None:
    assert how_to_look(given, "sqlite:///a b/mlflow.db") == said


def test_the_names_that_the_command_line_knows_are_those_of_the_registry() -> None:
    assert list(get_args(TrackerName)) == list(TRACKERS)


def test_a_tracker_that_hangs_holds_nothing_up_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "MAX_WAITING", 100)
    said: list[str] = []
    hung = Channel(FIRST, tmp_path / "trackers", said.append)
    assert hung._process is not None
    os.kill(hung._process.pid, signal.SIGSTOP)
    run = tracked_run(tmp_path)
    hung.put(Started(run=run))
    for step in range(10_000):  # more than its pipe and its queue hold
        hung.put(Advanced(key=run.key, event=event(1 + step % 9)))
    hung.finish([Ended(run=run)], seconds=0.2)
    assert hung._process.wait(PATIENCE) == -signal.SIGKILL
    assert len(said) == 1
    assert said[0].startswith("TensorBoard took nothing for 0.2 s and was ended. No run waits")


def test_points_that_a_slow_tracker_could_not_take_are_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_result: Callable[..., Result]
) -> None:
    monkeypatch.setattr(channel, "MAX_WAITING", 2)
    run, said = tracked_run(tmp_path), list[str]()
    slow = Channel(FIRST, tmp_path / "trackers", said.append)
    write(run, 1)
    slow.put(Started(run=run))
    for step in range(2, STEPS + 1):  # most of these are dropped: it is still being imported
        slow.put(Advanced(key=run.key, event=event(step)))
    write(run, STEPS, make_result(steps=STEPS))
    slow.finish([Ended(run=run)], PATIENCE)
    found = tracker_readers.read_tensorboard(tmp_path / "trackers")["runs"]["clip/1"]
    assert [step for step, _ in found["points"]] == list(range(1, STEPS + 1))
    assert said == []


@pytest.mark.slow
def test_a_tracker_that_cannot_write_says_so_once_and_the_study_is_done(
    copy: Path, sweep: Run
) -> None:
    (copy / "runs" / "trackers").mkdir()
    (copy / "runs" / "trackers" / "tensorboard").write_text("a file in its place")
    done = sweep(copy, "run", "s.toml", "--track", "tensorboard")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("TensorBoard says: ") == 1
    assert "this command, typed again, sends what is missing" in done.stdout


def test_a_tracker_that_is_not_installed_is_said_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = TRACKERS["mlflow"]
    monkeypatch.setitem(TRACKERS, "mlflow", type(kind)(kind.title, "no_such_package", kind.factory))
    said: list[str] = []
    tracking = Tracking(TrackedStudy("tiny", {}, ["mlflow"]), tmp_path, said.append)
    assert not tracking.is_on
    assert len(said) == 1
    assert "pip install 'gpt-sweep[mlflow]'" in said[0]


def test_a_finished_study_is_sent_whole_with_its_verdicts(copy: Path, sweep: Run) -> None:
    done = sweep(copy, "run", "s.toml", "--track", "tensorboard")
    assert done.returncode == 0, done.stderr
    folder = (copy / "runs" / "trackers").resolve()
    assert f"TensorBoard: tensorboard --logdir {folder}/tensorboard" in done.stdout
    found = tracker_readers.read_tensorboard(folder)
    assert sorted(found["runs"]) == [
        f"{arm}/{seed}" for arm in ("baseline", "clip", "no-dropout") for seed in (1, 2)
    ]
    assert found["runs"]["clip/2"]["parameters"]["optimizer.clip_norm"] == 0.5
    assert [text.count("no-dropout") > 0 for text in found["verdicts"]] == [True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--track", "tensorbord"],
            "'tensorbord' is not one of tensorboard, wandb, mlflow, trackio",
        ),
        (["--override", "jobs.track=wandb"], "jobs.track"),
    ],
)
def test_a_wrong_tracker_is_refused_before_anything_is_trained(
    empty: Path, sweep: Run, words: list[str], said: str
) -> None:
    done = sweep(empty, "run", "s.toml", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (empty / "runs").exists()


def test_a_study_file_names_its_trackers(empty: Path, sweep: Run) -> None:
    file = empty / "s.toml"
    file.write_text(file.read_text() + '\n[jobs]\ntrack = ["tensorbord"]\n')
    done = sweep(empty, "plan", "s.toml")
    assert done.returncode == 2
    assert "jobs.track" in done.stderr
    assert "tensorboard" in done.stderr


def test_a_script_has_its_own_parameters_without_its_command_and_its_code() -> None:
    content = {
        "trainer": {"command": ["python", "x.py"]},
        "code": {"x.py": "0" * 64},
        "parameters": {"lr": 0.5, "layers": [1, 2], "none": None},
        "seeds": {"init": 3},
    }
    assert flat_parameters(content) == {"lr": 0.5, "layers": "[1, 2]", "seeds.init": 3}
