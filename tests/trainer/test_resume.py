"""A run that is ended at any moment and continued ends as if nothing had happened."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from trainer.rundir.directory import Result, RunDirectory
from trainer.rundir.exits import Exit
from trainer.training.sealed import FIELDS, TENSORS

STEPS = 12
TRAINED = {"recipe.json", "lock", "log.txt", "events.jsonl", "result.json", "weights.safetensors"}
NOISY = {"train.tokens": 16 * 8 * STEPS, "model.dropout": 0.3}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "schedule and clipping": (
        {"schedule.kind": "cosine", "schedule.warmup": 0.25, "optimizer.clip_norm": 1.0},
        {},
    ),
    "accumulation": ({}, {"micro_batch": 3}),
    "tiny norm": ({"optimizer.clip_norm": 1e-3}, {}),
    "decay of matrices": ({"optimizer.decay": "matrices", "optimizer.weight_decay": 9.0}, {}),
}
OVERFLOWING = {"first_scale": 2.0**20, "growth_interval": 2}
"""In float16 the first steps are skipped, and later ones time and again."""

Attempt = Callable[..., int]
MakeRun = Callable[..., RunDirectory]


def result_of(run: RunDirectory) -> Result:
    result = run.read_result()
    assert result, run.log.read_text()
    return result


def outcome(run: RunDirectory) -> tuple[object, ...]:
    """All that a run has computed, to the last bit."""
    result = result_of(run)
    curve = [event.model_dump(exclude={"tokens_per_second"}) for event in run.read_events()]
    computed = result.model_dump(
        exclude={"started", "first_step", "finished", "tokens_per_second", "provenance", "notes"}
    )
    return computed, curve, run.weights.read_bytes()


@pytest.fixture
def whole(make_run: MakeRun, attempt: Attempt) -> RunDirectory:
    """A run that nothing has interrupted."""
    run = make_run("whole", NOISY)
    assert attempt(run) == Exit.DONE
    return run


def is_overflowing(run: RunDirectory) -> bool:
    """True if steps were skipped at the beginning and later, with others between."""
    skipped = [event.skipped for event in run.read_events()]
    return bool(skipped[0]) and 1 < sum(skipped[: STEPS // 2]) < STEPS // 2 < len(skipped)


MARKS = {
    "float16": pytest.mark.slow,  # whose loss scale is state, too
    "bfloat16": pytest.mark.nightly,
    "tf32": pytest.mark.nightly,
}


@pytest.mark.parametrize(
    ("kind", "precision"),
    [
        *((kind, "float32") for kind in KINDS),
        # Half precision is slow on a CPU: each kind has one other precision, in turn.
        *(
            pytest.param(kind, precision, marks=MARKS[precision])
            for kind, precision in zip(KINDS, cycle(("bfloat16", "float16", "tf32")), strict=False)
        ),
    ],
)
def test_a_run_killed_again_and_again_ends_with_the_same_bits(
    make_run: MakeRun, attempt: Attempt, kind: str, precision: str
) -> None:
    changes, execution = KINDS[kind]
    changes = {**NOISY, **changes, "train.precision": precision}
    whole = make_run("whole", changes, **execution)
    assert attempt(whole, **OVERFLOWING) == Exit.DONE
    assert is_overflowing(whole) == (precision == "float16")
    rng = random.Random(f"{kind}/{precision}")
    killed = make_run("killed", changes, **execution, checkpoint_seconds=0)
    kills = 0
    while True:
        moment = {"step": rng.randint(1, 4)} if rng.random() < 0.5 else {}
        status = attempt(killed, **OVERFLOWING, **(moment or {"touch": rng.randint(1, 120)}))
        if status == Exit.DONE:
            break
        assert status == -signal.SIGKILL, killed.log.read_text()
        kills += 1
        assert kills < 50
    assert kills >= 2
    assert outcome(killed) == outcome(whole)
    assert [event.step for event in killed.read_events()] == list(range(1, STEPS + 1))
    assert len(result_of(killed).notes) <= 1  # that the precision is slow, where it was just then
    assert {path.name for path in killed.path.iterdir()} == TRAINED


def test_a_run_that_is_asked_to_stop_again_and_again_ends_with_the_same_bits(
    make_run: MakeRun, attempt: Attempt, whole: RunDirectory
) -> None:
    run = make_run("stopped", NOISY)
    for step, last in ((1, 1), (4, 5), (3, 8)):
        assert attempt(run, signal=signal.SIGTERM, step=step) == Exit.STOPPED
        assert [event.step for event in run.read_events()] == list(range(1, last + 1))
        newest = max(path.name for path in run.checkpoints.iterdir())
        assert newest == f"step-{last:010d}"
        assert run.read_result() is None
    assert attempt(run) == Exit.DONE
    assert outcome(run) == outcome(whole)


@pytest.mark.slow
def test_a_curve_of_means_over_steps_covers_each_step_once_across_interruptions(
    make_run: MakeRun, attempt: Attempt
) -> None:
    changes = {**NOISY, "train.tokens": 16 * 8 * 300}
    runs = [make_run(name, changes) for name in ("whole", "stopped")]
    assert attempt(runs[1], signal=signal.SIGTERM, step=5) == Exit.STOPPED
    assert [attempt(run) for run in runs] == [Exit.DONE] * 2
    whole, stopped = (
        {event.step: event.loss or 0.0 for event in run.read_events()} for run in runs
    )
    assert list(whole) == list(range(3, 301, 3))
    assert list(stopped) == [3, 5, *range(6, 301, 3)]
    assert (2 * stopped[5] + stopped[6]) / 3 == pytest.approx(whole[6], rel=1e-12)
    assert all(stopped[step] == loss for step, loss in whole.items() if step != 6)


def test_a_run_that_is_stopped_before_its_first_step_begins_with_it(
    make_run: MakeRun, attempt: Attempt, whole: RunDirectory
) -> None:
    run = make_run("stopped", NOISY)
    assert attempt(run, signal=signal.SIGTERM, touch=1) == Exit.STOPPED
    assert run.read_events() == []
    assert attempt(run) == Exit.DONE
    assert outcome(run) == outcome(whole)


def test_divergence_is_found_at_the_same_step_across_interruptions(
    make_run: MakeRun, attempt: Attempt
) -> None:
    changes = {**NOISY, "optimizer.learning_rate": 1e3, "optimizer.weight_decay": 0.0}
    runs = [make_run(name, changes, checkpoint_seconds=0) for name in ("whole", "killed")]
    for step in (4, 5):
        assert attempt(runs[1], step=step) == -signal.SIGKILL
    assert [attempt(run) for run in runs] == [Exit.DONE] * 2
    whole, killed = map(result_of, runs)
    assert (killed.state, killed.diverged_at, killed.cause) == ("diverged", 10, whole.cause)
    assert (killed.steps, killed.last_loss) == (whole.steps, whole.last_loss)
    assert not runs[1].checkpoints.exists()
    assert not runs[1].weights.exists()


def test_the_processes_of_a_run_that_diverges_between_two_events_end_together(
    make_run: MakeRun, attempt: Attempt
) -> None:
    changes = {"train.tokens": 16 * 8 * 300, "optimizer.learning_rate": 1e3}
    run = make_run("run", changes, processes=2, checkpoint_seconds=0)
    assert attempt(run) == Exit.DONE, run.log.read_text()
    result = result_of(run)
    assert (result.state, result.diverged_at) == ("diverged", 15)
    assert [event.step for event in run.read_events()] == list(range(1, 17))


@pytest.fixture
def killed(make_run: MakeRun, attempt: Attempt) -> RunDirectory:
    """A run that was killed in its eighth step, with the checkpoints of the sixth and seventh."""
    run = make_run("killed", NOISY, checkpoint_seconds=0)
    assert attempt(run, step=8) == -signal.SIGKILL
    found = sorted(path.name for path in run.checkpoints.iterdir())
    assert found == ["step-0000000006", "step-0000000007"]
    return run


def flip(run: RunDirectory, step: int, file: str, seed: int) -> None:
    """Change one bit of a checkpoint."""
    path = run.checkpoints / f"step-{step:010d}" / file
    content = bytearray(path.read_bytes())
    rng = random.Random(seed)
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("file", [TENSORS, FIELDS])
def test_a_damaged_checkpoint_is_reported_and_the_one_before_leads_to_the_same_bits(
    attempt: Attempt, whole: RunDirectory, killed: RunDirectory, file: str, seed: int
) -> None:
    flip(killed, 7, file, seed)
    assert attempt(killed, step=3) == -signal.SIGKILL  # the note survives further attempts
    assert attempt(killed) == Exit.DONE
    assert outcome(killed) == outcome(whole)
    [note] = result_of(killed).notes
    damaged = killed.checkpoints / "step-0000000007"
    assert note.startswith(f"{damaged} is damaged ({file} is not ")
    assert note.endswith("; the one before it, step-0000000006, is used")
    assert note in killed.log.read_text().splitlines()


def test_a_run_whose_checkpoints_are_all_damaged_begins_again_with_a_warning(
    attempt: Attempt, whole: RunDirectory, killed: RunDirectory
) -> None:
    flip(killed, 6, TENSORS, 1)
    (killed.checkpoints / "step-0000000007" / FIELDS).unlink()
    assert attempt(killed) == Exit.DONE
    assert outcome(killed) == outcome(whole)
    notes = result_of(killed).notes
    assert len(notes) == 2
    assert all(note.endswith("; training starts again from the first step") for note in notes)


def test_checkpoints_of_another_recipe_are_refused_with_a_message_and_not_removed(
    make_run: MakeRun, attempt: Attempt, killed: RunDirectory
) -> None:
    make_run("killed", {**NOISY, "optimizer.learning_rate": 1e-3})
    killed.log.unlink()
    assert attempt(killed) == Exit.FAILED
    assert killed.log.read_text() == (
        f"{killed.checkpoints}/step-0000000007 belongs to another recipe or corpus than the one "
        f"to be trained; remove {killed.checkpoints} or use another run directory\n"
    )
    assert killed.read_result() is None
    assert len(list(killed.checkpoints.iterdir())) == 2


@pytest.mark.slow
def test_python_m_trainer_continues_a_run_without_study_database_or_scheduler(
    make_run: MakeRun, whole: RunDirectory, killed: RunDirectory, root: Path
) -> None:
    make_run("killed", NOISY, checkpoint_seconds=1e6)  # other settings, the same recipe
    command = [sys.executable, "-m", "sweep", "train", str(killed.path), "--threads", "1"]
    subprocess.run(command, cwd=root, check=True, timeout=PATIENCE)
    assert outcome(killed) == outcome(whole)
