"""Errors in one of the processes of a run end all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.trainer.forked import ForkedRun, train
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.training.journal import Step
from trainer.training.trainer import Trainer

MakeRun = Callable[..., RunDirectory]


def test_each_process_reads_its_own_part_of_the_batch(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = Trainer.gradients

    def gradients(self: Trainer, step: int, sequences: slice) -> torch.Tensor:
        with (tmp_path / f"rank-{self.place.world.rank}").open("a") as file:
            numbers = self.batches.sequences(step)[sequences]
            print(sequences.start, sequences.stop, len(numbers), file=file)
        return whole(self, step, sequences)

    monkeypatch.setattr(Trainer, "gradients", gradients)
    run = make_run("run", {"train.batch_size": 7, "train.tokens": 16 * 7 * 2}, processes=3)
    assert train(run) == 0
    read = [(tmp_path / f"rank-{rank}").read_text().splitlines() for rank in range(3)]
    assert read == [["0 2 2"] * 2, ["2 4 2"] * 2, ["4 7 3"] * 2]


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_in_one_process_is_the_last_line_of_the_log_and_ends_all(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    whole = Trainer.step

    def step(self: Trainer, number: int) -> Step:
        if number == 5 and self.place.world.rank == rank:
            raise ValueError("a plain mistake")
        return whole(self, number)

    monkeypatch.setattr(Trainer, "step", step)
    child = ForkedRun(make_run("run", processes=2))
    assert child.wait() == Exit.FAILED
    assert child.run.last_log_line() == "ValueError: a plain mistake"
    assert child.log().count("Traceback") == 1
