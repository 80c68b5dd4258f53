"""Two runs with one seed share its random numbers, even if their recipes differ."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.patience import PATIENCE
from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.training.trainer import Trainer
from trainer.training.world import Place

CPU = Place(torch.device("cpu"))


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer.weight_decay": 0.01},
        {"optimizer.learning_rate": 1e-2},
        {"optimizer.clip_norm": 0.1},
        {"schedule.kind": "cosine"},
        {"model.qkv_bias": True},  # zero at first
    ],
    ids=str,
)
def test_the_first_loss_is_bit_identical(
    corpus: Corpus,
    recipe: Recipe,
    make_recipe: Callable[..., Recipe],
    change: dict[str, object],
) -> None:
    baseline, changed = Trainer(recipe, corpus, CPU), Trainer(make_recipe(change), corpus, CPU)
    assert torch.equal(baseline.step(0).loss, changed.step(0).loss)
    later = [(baseline.step(step).loss, changed.step(step).loss) for step in (1, 2)]
    assert not all(torch.equal(*losses) for losses in later), "the change has an effect"


@pytest.mark.parametrize("stream", ["init", "order", "dropout"])
def test_another_seed_of_a_stream_changes_that_stream_alone(
    corpus: Corpus, recipe: Recipe, make_recipe: Callable[..., Recipe], stream: str
) -> None:
    baseline = streams(recipe, corpus)
    varied = streams(make_recipe({f"seeds.{stream}": 2}), corpus)
    changed = {name for name in baseline if not torch.equal(baseline[name], varied[name])}
    assert changed == {stream}


def streams(recipe: Recipe, corpus: Corpus) -> dict[str, torch.Tensor]:
    """A sample of each stream: initial weights, a batch, a mask."""
    trainer = Trainer(recipe, corpus, CPU)
    trainer.dropout.seek(3, 0)
    return {
        "init": torch.cat([p.detach().flatten() for p in trainer.model.parameters()]),
        "order": trainer.batches.read(3)[0],
        "dropout": trainer.dropout.keep_mask(0.1, 1, torch.Size([8, 100])),
    }


@pytest.mark.slow
def test_two_processes_with_one_recipe_end_with_the_same_loss_to_the_last_bit(
    root: Path, make_run: Callable[..., RunDirectory]
) -> None:
    runs = [make_run(name) for name in ("one", "other")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "sweep", "train", str(run.path), "--threads", "1"], cwd=root
        )
        for run in runs
    ]
    assert [process.wait(timeout=PATIENCE) for process in processes] == [0, 0]
    one, other = (run.read_result() for run in runs)
    assert one
    assert other
    assert one.test_loss is not None
    assert (one.test_loss, one.chunk_losses, one.last_loss) == (
        other.test_loss,
        other.chunk_losses,
        other.last_loss,
    )


def test_torchs_global_generator_changes_no_result(corpus: Corpus, recipe: Recipe) -> None:
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        trainer = Trainer(recipe, corpus, CPU)
        losses.append([float(trainer.step(step).loss) for step in range(3)])
    assert losses[0] == losses[1]
