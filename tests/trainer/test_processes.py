"""Several processes train a run as one would, and none of them is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import trainer.training.evaluate
from model.gpt import GPT
from tests.trainer.forked import ForkedRun, assert_end, train
from trainer.processes import ranks
from trainer.rundir.directory import Result, RunDirectory
from trainer.rundir.exits import Exit
from trainer.training.trainer import Trainer

MakeRun = Callable[..., RunDirectory]
LONG = {"train.tokens": 16 * 8 * 1_000_000}
"""A run that does not end while a test looks on."""


def result_of(run: RunDirectory) -> Result:
    result = run.read_result()
    assert result, run.log.read_text()
    return result


def assert_same_but_for_rounding(one: RunDirectory, other: RunDirectory) -> None:
    mine, yours = result_of(one), result_of(other)
    assert yours.test_loss == pytest.approx(mine.test_loss, rel=1e-5)
    assert yours.bits_per_byte == pytest.approx(mine.bits_per_byte, rel=1e-5)
    assert yours.chunk_losses == pytest.approx(mine.chunk_losses, rel=1e-5)
    assert yours.last_loss == pytest.approx(mine.last_loss, rel=1e-5)
    assert (yours.steps, yours.tokens) == (mine.steps, mine.tokens)
    curves = one.read_events(), other.read_events()
    for my_event, your_event in zip(*curves, strict=True):
        assert your_event.step == my_event.step
        assert your_event.loss == pytest.approx(my_event.loss, rel=1e-5)
        assert your_event.grad_norm == pytest.approx(my_event.grad_norm, rel=1e-5)
        assert your_event.clipped == my_event.clipped
    weights, others = load_file(one.weights), load_file(other.weights)
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=0, atol=1e-4)


def assert_nothing_left(run: RunDirectory) -> None:
    assert not list(run.path.glob(".ranks-*"))
    assert not list(run.path.glob("checkpoints/*"))


@pytest.mark.parametrize(
    ("processes", "batch_size", "micro_batch"),
    [(2, 8, "auto"), (2, 8, 3), (3, 7, "auto")],
    ids=["two", "two with micro-batches", "three with unequal parts"],
)
def test_several_processes_end_within_1e_5_of_one_process(
    make_run: MakeRun,
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
    batch_size: int,
    micro_batch: Any,  # noqa: ANN401  (a number or "auto")
) -> None:
    monkeypatch.setattr(
        trainer.training.evaluate, "TOKENS_AT_ONCE", 64
    )  # each process has some to score
    changes = {
        "train.batch_size": batch_size,
        "train.tokens": 16 * batch_size * 12,
        "optimizer.clip_norm": 1.0,
        "model.dropout": 0.2,
    }
    alone = make_run("alone", changes)
    shared = make_run("shared", changes, processes=processes, micro_batch=micro_batch)
    assert (train(alone), train(shared)) == (0, 0)
    assert_same_but_for_rounding(alone, shared)
    assert (result_of(alone).processes, result_of(shared).processes) == (1, processes)
    most = -(-batch_size // processes)
    expected = {most - 1, most} if micro_batch == "auto" else {micro_batch}
    assert result_of(shared).micro_batch in expected
    assert_nothing_left(shared)
    assert shared.log.read_text() == ""


def test_more_processes_than_sequences_are_refused_with_a_message(make_run: MakeRun) -> None:
    run = make_run("run", processes=9)
    child = ForkedRun(run)
    assert child.wait() == Exit.REFUSED
    assert child.log() == (
        "9 processes cannot share a batch of 8 sequences; "
        "raise train.batch_size, or use at most 8 (jobs.gpus_per_run)\n"
    )
    assert_nothing_left(run)


# Ends.


@pytest.fixture
def long_run(
    make_run: MakeRun, wait_for_training: Callable[[RunDirectory], None]
) -> Iterator[tuple[ForkedRun, list[int]]]:
    """A run of two processes that is under way, and its ranks."""
    child = ForkedRun(make_run("long", LONG, processes=2))
    wait_for_training(child.run)
    pids = child.ranks()
    assert len(pids) == 2
    yield child, pids
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # what a failed test leaves


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_fails_the_run_at_once_and_the_log_names_the_signal(
    long_run: tuple[ForkedRun, list[int]], rank: int
) -> None:
    child, pids = long_run
    os.kill(pids[rank], signal.SIGKILL)
    assert child.wait() == Exit.FAILED
    assert child.log() == f"process {rank} of this run was ended by signal 9 (SIGKILL)\n"
    assert_end(pids)
    assert child.run.read_result() is None
    assert_nothing_left(child.run)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent")
def test_if_the_supervising_process_is_killed_the_ranks_end_and_a_new_attempt_succeeds(
    long_run: tuple[ForkedRun, list[int]], make_run: MakeRun
) -> None:
    child, pids = long_run
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert_end(pids)
    (child.run.path / ".ranks-1").write_bytes(b"of an attempt that was killed earlier")
    again = make_run("long", processes=2)
    again.lock.announce(2)  # as a scheduler does: an attempt waits for the lock of the one before
    assert ForkedRun(again, attempt=2).wait() == 0
    assert_nothing_left(again)


@pytest.mark.parametrize("rank", [0, 1])
def test_sigterm_during_the_forks_reaches_all_processes(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    whole = ranks._fork

    def fork(number: int, train_rank: Callable[[int], int]) -> int:
        pid = whole(number, train_rank)
        if number == rank:
            os.kill(os.getpid(), signal.SIGTERM)
        return pid

    monkeypatch.setattr(ranks, "_fork", fork)
    assert ForkedRun(make_run("run", LONG, processes=2)).wait() == Exit.STOPPED


def test_an_immediate_sigterm_is_not_lost(make_run: MakeRun) -> None:
    child = ForkedRun(make_run("run", LONG, processes=2))
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait() == Exit.STOPPED


@pytest.mark.slow
def test_a_run_stopped_by_sigterm_continues_exactly(
    make_run: MakeRun, wait_for_training: Callable[[RunDirectory], None]
) -> None:
    changes = {"train.tokens": 16 * 8 * 200}
    whole = make_run("whole", changes, processes=2)
    stopped = make_run("stopped", changes, processes=2)
    child = ForkedRun(stopped)
    wait_for_training(stopped)
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait() == Exit.STOPPED
    assert child.log() == ""
    assert stopped.read_result() is None
    assert list(stopped.checkpoints.iterdir())
    assert (train(stopped), train(whole)) == (0, 0)
    one, other = result_of(whole), result_of(stopped)
    assert (one.test_loss, one.chunk_losses) == (other.test_loss, other.chunk_losses)
    assert whole.weights.read_bytes() == stopped.weights.read_bytes()
    assert_nothing_left(stopped)


@pytest.mark.slow
def test_an_interrupted_run_of_two_processes_is_continued_by_one(
    make_run: MakeRun, wait_for_training: Callable[[RunDirectory], None]
) -> None:
    changes = {"train.tokens": 16 * 8 * 200}
    alone = make_run("alone", changes)
    run = make_run("run", changes, processes=2)
    child = ForkedRun(run)
    wait_for_training(run)
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait() == Exit.STOPPED
    make_run("run", changes, processes=1)
    assert (train(run), train(alone)) == (0, 0)
    assert result_of(run).test_loss == pytest.approx(result_of(alone).test_loss, rel=1e-5)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_stopped_during_evaluation_stops_at_the_next_piece_and_can_be_continued(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, processes: int
) -> None:
    monkeypatch.setattr(
        trainer.training.evaluate, "TOKENS_AT_ONCE", 96
    )  # three pieces: unequal parts
    whole = make_run("whole", processes=processes)
    assert train(whole) == 0
    scores = trainer.training.evaluate._sequence_losses
    once = tmp_path / "once"

    def score(model: GPT, tokens: Any, sequences: Any, device: Any) -> torch.Tensor:  # noqa: ANN401
        if 0 in sequences and not once.exists():
            once.touch()
            os.kill(os.getsid(0), signal.SIGTERM)  # the process that watches, if there is one
            time.sleep(0.5)
        return scores(model, tokens, sequences, device)

    monkeypatch.setattr(trainer.training.evaluate, "_sequence_losses", score)
    stopped = make_run("stopped", processes=processes)
    assert train(stopped) == Exit.STOPPED
    assert [path.name for path in stopped.checkpoints.iterdir()] == ["step-0000000012"]
    assert stopped.read_result() is None
    assert train(stopped) == 0
    assert result_of(stopped).chunk_losses == result_of(whole).chunk_losses
    assert stopped.weights.read_bytes() == whole.weights.read_bytes()


# Errors.


def test_running_out_of_memory_in_any_process_is_recorded(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Trainer.gradients

    def gradients(self: Trainer, step: int, sequences: slice) -> torch.Tensor:
        if self.place.world.rank == 1 and self.micro_batch > 2 and step == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(self, step, sequences)

    monkeypatch.setattr(Trainer, "gradients", gradients)
    run = make_run("run", processes=2)
    assert train(run) == 0
    assert result_of(run).notes == [
        "out of memory at step 3 with a micro-batch of 4 sequences; went on with 2"
    ]


def test_a_diverged_run_of_two_processes_has_a_result(make_run: MakeRun) -> None:
    run = make_run("run", {"optimizer.learning_rate": 1e3}, processes=2)
    assert train(run) == 0
    assert result_of(run).state == "diverged"
    assert_nothing_left(run)


def test_checkpoints_that_cannot_be_read_end_all_processes_with_a_message(
    make_run: MakeRun,
) -> None:
    run = make_run("run", LONG, processes=2, checkpoint_seconds=0)
    run.checkpoints.write_text("in the way")
    child = ForkedRun(run)
    assert child.wait() == Exit.FAILED
    assert str(run.checkpoints) in child.run.last_log_line()
    assert "Traceback" not in child.log()
