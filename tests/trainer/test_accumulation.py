"""Micro-batches, and what else belongs to the execution of a run, change nothing but rounding."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trainer.corpora.corpus import Corpus
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.training.evaluate import evaluate
from trainer.training.journal import Journal
from trainer.training.trainer import Trainer
from trainer.training.world import Place, World

CPU = torch.device("cpu")
BATCH = 16
STEPS = 5
SHAPE = {
    "model.layers": 2,
    "model.context": 80,  # two tiles of attention, in two groups of sequences
    "train.batch_size": BATCH,
    "train.tokens": 80 * BATCH * STEPS,
    "evaluation.chunk_tokens": 80,
}


@pytest.fixture
def sixteen(make_recipe: Callable[..., Recipe]) -> Recipe:
    """Five steps of sixteen sequences, with dropout."""
    return make_recipe({**SHAPE, "model.dropout": 0.3})


def start(recipe: Recipe, corpus: Corpus, micro_batch: int, world: World | None = None) -> Trainer:
    return Trainer(recipe, corpus, Place(CPU, Execution(micro_batch=micro_batch), world or World()))


def norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("micro_batch", [1, 3, 4])
@pytest.mark.parametrize("clip_norm", ["none", 0.5])
def test_micro_batches_of_any_size_agree_with_the_whole_batch_within_1e_5(
    corpus: Corpus,
    make_recipe: Callable[..., Recipe],
    micro_batch: int,
    dropout: float,
    clip_norm: object,
) -> None:
    recipe = make_recipe({**SHAPE, "model.dropout": dropout, "optimizer.clip_norm": clip_norm})
    whole, pieces = start(recipe, corpus, BATCH), start(recipe, corpus, micro_batch)
    for step in range(STEPS):
        one, other = whole.step(step), pieces.step(step)
        assert float(other.loss) == pytest.approx(float(one.loss), rel=1e-5)
        assert float(other.norm) == pytest.approx(float(one.norm), rel=1e-5)
        difference = norm(pieces.parameters.gradients - whole.parameters.gradients)
        assert difference < 1e-5 * norm(whole.parameters.gradients)
        # Adam divides by the gradient's size: where that is nearly zero, rounding is magnified.
        difference = norm(pieces.parameters.values - whole.parameters.values)
        assert difference < 1e-5 * norm(whole.parameters.values)


# Pairing: the text and the masks of each step.


def watch(trainer: Trainer) -> tuple[list[Tensor], list[Tensor]]:
    """Every token that the model reads in training, and every mask of its first site, by sequence."""
    tokens: list[Tensor] = []
    masks: list[Tensor] = []

    def read(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if module.training:
            tokens.extend(inputs[0])

    def drop(module: nn.Module, _inputs: object, output: Tensor) -> None:
        if module.training:
            masks.extend(output == 0)

    trainer.model.token_embedding.register_forward_pre_hook(
        lambda _module, inputs: read(trainer.model, inputs)
    )
    trainer.model.embedding_dropout.register_forward_hook(drop)
    return tokens, masks


def assert_paired(one: tuple[list[Tensor], ...], other: tuple[list[Tensor], ...]) -> None:
    for mine, yours in zip(one, other, strict=True):
        assert len(mine) == STEPS * BATCH
        assert torch.equal(torch.stack(mine), torch.stack(yours))


@pytest.fixture
def streams(sixteen: Recipe, corpus: Corpus) -> tuple[list[Tensor], ...]:
    """The sequences and dropout masks of a plain run."""
    trainer = start(sixteen, corpus, BATCH)
    seen = watch(trainer)
    for step in range(STEPS):
        trainer.step(step)
    assert len({mask.numpy().tobytes() for mask in seen[1]}) == STEPS * BATCH, "each has its own"
    return seen


@pytest.mark.parametrize("micro_batch", [1, 3, 16])
def test_pairing_survives_micro_batches_evaluation_in_between_and_logging(
    sixteen: Recipe, corpus: Corpus, streams: tuple[list[Tensor], ...], micro_batch: int
) -> None:
    trainer = start(sixteen, corpus, micro_batch)
    seen = watch(trainer)
    journal = Journal(sixteen, io.StringIO(), trainer.progress)
    for step in range(STEPS):
        journal.record(trainer.step(step))
        evaluate(trainer.model, corpus, sixteen, trainer.place)
    assert_paired(seen, streams)


@pytest.mark.parametrize("size", [2, 3, 16])
def test_pairing_survives_the_parts_of_several_processes(
    sixteen: Recipe, corpus: Corpus, streams: tuple[list[Tensor], ...], size: int
) -> None:
    ranks = [start(sixteen, corpus, 4, World(rank, size)) for rank in range(size)]
    seen = [watch(trainer) for trainer in ranks]
    joined: tuple[list[Tensor], list[Tensor]] = ([], [])
    for step in range(STEPS):
        for trainer, parts in zip(ranks, seen, strict=True):
            trainer.gradients(step, trainer.sequences)
            for all_of_them, part in zip(joined, parts, strict=True):
                all_of_them.extend(part)
                part.clear()
    assert_paired(joined, streams)


def test_evaluation_in_between_and_logging_change_no_bit(sixteen: Recipe, corpus: Corpus) -> None:
    plain, watched = start(sixteen, corpus, 4), start(sixteen, corpus, 4)
    journal = Journal(sixteen, io.StringIO(), watched.progress)
    for step in range(STEPS):
        plain.step(step)
        journal.record(watched.step(step))
        evaluate(watched.model, corpus, sixteen, watched.place)
    assert torch.equal(plain.parameters.values, watched.parameters.values)
