"""Every field of a recipe about training does what its source says, and pairs, resumes and splits.

A new field, or a new choice of a field, fails here until `CHANGES` has a recipe that sets it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch

from tests.trainer.plain_training import PlainTrainer
from tests.trainer.reference import mean_cross_entropy
from tests.trainer.texts import lines_as_documents
from trainer.corpora.corpus import Corpus
from trainer.execution import Execution
from trainer.recipe import Recipe, SeedlessRecipe
from trainer.recipe_forms import RECIPE_FIELDS, split_field
from trainer.training.checkpoint import Checkpoint, Checkpoints
from trainer.training.trainer import Trainer
from trainer.training.world import Place, World

MakeRecipe = Callable[..., Recipe]

STEPS = 50
BATCH = 8
CPU = torch.device("cpu")
CHANGES: dict[str, dict[str, Any]] = {
    "rate": {"optimizer.learning_rate": 1e-2},
    "adamw": {
        "optimizer.beta1": 0.7,
        "optimizer.beta2": 0.95,
        "optimizer.epsilon": 1e-3,
        "optimizer.weight_decay": 3.0,
        "optimizer.decay": "matrices",
        "optimizer.clip_norm": 0.5,
    },
    "cautious": {"optimizer.cautious_decay": True, "optimizer.weight_decay": 3.0},
    "group-rates": {
        "optimizer.embedding_learning_rate": 2e-2,
        "optimizer.head_learning_rate": 1e-3,
        "optimizer.scalar_learning_rate": 1e-4,
        "optimizer.decay": "matrices",
        "schedule.kind": "cosine",
    },
    "muon": {"optimizer.kind": "muon", "optimizer.scalar_learning_rate": 1e-3},
    "muon-original": {
        "optimizer.kind": "muon",
        "optimizer.muon_scale": "original",
        "optimizer.momentum": 0.9,
        "optimizer.learning_rate": 2e-2,
        "optimizer.embedding_learning_rate": 3e-3,
        "optimizer.head_learning_rate": 1e-3,
    },
    "lion": {"optimizer.kind": "lion", "optimizer.learning_rate": 3e-4, "optimizer.beta2": 0.99},
    "cautious-lion": {
        "optimizer.kind": "lion",
        "optimizer.learning_rate": 3e-4,
        "optimizer.cautious_decay": True,
        "optimizer.weight_decay": 3.0,
    },
    "sgd": {
        "optimizer.kind": "sgd",
        "optimizer.learning_rate": 0.1,
        "optimizer.momentum": 0.8,
        "optimizer.head_learning_rate": 0.05,
    },
    "sgd-without-momentum": {
        "optimizer.kind": "sgd",
        "optimizer.learning_rate": 0.1,
        "optimizer.momentum": 0.0,
        "optimizer.clip_norm": 1.0,
    },
    "adafactor": {"optimizer.kind": "adafactor", "optimizer.learning_rate": 0.02},
    "batch-warmup": {"schedule.batch_warmup": 0.5, "schedule.batch_warmup_factor": 0.25},
    "z-loss": {"train.z_loss": 0.1},
    "multi-token": {"train.multi_token": 3},
    "multi-token-documents": {"train.multi_token": 3, "data.mask_documents": True},
    "context-warmup": {"train.first_context": 2, "train.context_warmup": 0.6},
    "ema": {"train.ema": 0.9},
    "documents": {"data.mask_documents": True},
    "average-last": {"evaluation.average_last": 0.4},
    "cosine": {"schedule.kind": "cosine", "schedule.warmup": 0.2, "schedule.warmup_factor": 0.1},
    "linear": {"schedule.kind": "linear", "schedule.final_factor": 0.0, "schedule.warmup": 0.1},
    "wsd": {"schedule.kind": "wsd", "schedule.cooldown": 0.5, "schedule.warmup": 0.1},
    "wsd-sqrt": {
        "schedule.kind": "wsd",
        "schedule.cooldown": 0.6,
        "schedule.cooldown_shape": "1-sqrt",
        "schedule.final_factor": 0.0,
    },
}
"""For each name the fields that differ from the tiny recipe."""
ELSEWHERE = {
    "data.corpus": "test_corpus.py",
    "data.pattern": "test_folders.py",
    "data.subset": "test_hub.py",
    "data.revision": "test_hub.py",
    "data.text_column": "test_columns.py",
    "data.separator": "test_file_splits.py",
    "data.test_share": "test_corpus.py",
    "data.max_tokens": "test_prepare.py",
    "data.tokenizer": "test_tokenizer.py",
    "data.order": "test_batches.py",
    "data.mixture": "test_mixture.py",
    "train.tokens": "test_schedule.py",
    "train.batch_size": "test_batches.py",
    "train.precision": "test_precision.py",
    "train.initial_weights": "test_initial.py",
    "evaluation.chunks": "test_evaluate.py",
    "evaluation.chunk_tokens": "test_evaluate.py",
    "evaluation.start_token": "test_evaluate.py",
}
"""Fields that change no step of the optimiser, and the file that tests them."""
OTHER_BATCHES = {"batch-warmup", "context-warmup"}
"""Changes that cut the same text into other steps: `test_ramps.py`."""
OTHER_LOSSES = OTHER_BATCHES | {"documents", "multi-token-documents"}
"""Changes with another loss at the first step."""
SECTIONS = ("data", "optimizer", "schedule", "train", "evaluation")

QUICK = ("adamw", "group-rates", "muon", "wsd", "ema", "multi-token")
"""Changes that are trained in every test run; the others in the nightly ones."""

each_change = pytest.mark.parametrize("name", CHANGES)
each_change_at_length = pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.nightly) for name in CHANGES],
)


@pytest.fixture(scope="module")
def corpus(corpus: Corpus) -> Corpus:
    """The small corpus; its lines are documents."""
    return replace(corpus, train=lines_as_documents(corpus.train))


@pytest.fixture
def recipe_of(make_recipe: MakeRecipe) -> Callable[..., Recipe]:
    """The tiny recipe with a change, dropout and a budget of fifty steps."""

    def make(name: str, steps: int = STEPS) -> Recipe:
        fields = {"train.tokens": 16 * BATCH * steps, "model.dropout": 0.2}
        return make_recipe(fields | CHANGES[name])

    return make


def start(
    recipe: Recipe, corpus: Corpus, micro_batch: int = BATCH, world: World | None = None
) -> Trainer:
    return Trainer(recipe, corpus, Place(CPU, Execution(micro_batch=micro_batch), world or World()))


def norm(tensor: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor))


def test_every_field_about_training_and_every_choice_of_it_is_tested() -> None:
    set_here = {field for fields in CHANGES.values() for field in fields}
    for key in RECIPE_FIELDS:
        section, field = split_field(key)
        if section not in SECTIONS or key in ELSEWHERE:
            continue
        assert key in set_here, f"no change of `CHANGES` sets {key}"
        config = get_type_hints(SeedlessRecipe)[section]
        choices = {word for word in get_args(get_type_hints(config)[field]) if type(word) is str}
        seen = {fields.get(key, config().model_dump()[field]) for fields in CHANGES.values()}
        assert choices <= seen, f"no change of `CHANGES` has {key} = {choices - seen}"
    for file in ELSEWHERE.values():
        assert Path(__file__).with_name(file).exists()


@each_change_at_length
def test_fifty_steps_have_the_losses_of_a_plain_trainer(
    name: str, corpus: Corpus, recipe_of: Callable[..., Recipe]
) -> None:
    recipe = recipe_of(name)
    product = start(recipe, corpus)
    plain = PlainTrainer(product.model, recipe, corpus)
    losses = [(float(product.step(step).loss), plain.step(step)) for step in range(recipe.steps)]
    for step, (loss, expected) in enumerate(losses):
        assert loss == pytest.approx(expected, rel=1e-5), f"loss of step {step}"
    assert losses[-1][0] < losses[0][0], "it learns"
    plain.use_average()
    inputs, targets = product.batches.read(0)
    with torch.no_grad(), product.final_weights():
        logits = product.model.eval()(inputs)
        expected = mean_cross_entropy(plain.model(inputs), targets)
    torch.testing.assert_close(mean_cross_entropy(logits, targets), expected, rtol=1e-5, atol=0)


@each_change
def test_a_change_leaves_initial_weights_text_and_masks_as_they_are(
    name: str, corpus: Corpus, recipe_of: Callable[..., Recipe], make_recipe: MakeRecipe
) -> None:
    plain, changed = (
        start(make_recipe({"model.dropout": 0.2}), corpus),
        start(recipe_of(name), corpus),
    )
    for field, value in plain.model.named_parameters():
        assert torch.equal(value, changed.model.get_parameter(field)), field
    if name not in OTHER_BATCHES:
        assert torch.equal(*(each.batches.read(3)[0] for each in (plain, changed)))
    if name not in OTHER_LOSSES:
        assert torch.equal(plain.step(0).loss, changed.step(0).loss)
    for trainer in (plain, changed):
        trainer.dropout.seek(3, 0)
    shape = torch.Size([8, 100])
    assert torch.equal(*(each.dropout.keep_mask(0.2, 1, shape) for each in (plain, changed)))


@each_change
def test_a_run_that_continues_from_a_checkpoint_has_the_same_bits(
    name: str, corpus: Corpus, recipe_of: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = recipe_of(name, 14)
    whole, checkpoints = start(recipe, corpus), Checkpoints(tmp_path, "a recipe")
    half = recipe.steps - 4
    for step in range(half):
        whole.step(step)
    checkpoints.save(Checkpoint(half, whole.state(), {}))
    read = checkpoints.latest(pytest.fail)
    assert read
    continued = start(recipe, corpus)
    continued.load_state(read.tensors)
    for step in range(half, recipe.steps):
        assert torch.equal(whole.step(step).loss, continued.step(step).loss)
    ours, theirs = whole.state(), continued.state()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@each_change
def test_micro_batches_and_processes_change_nothing_but_rounding(
    name: str, corpus: Corpus, recipe_of: Callable[..., Recipe]
) -> None:
    recipe = recipe_of(name)
    whole, pieces = start(recipe, corpus), start(recipe, corpus, 3)
    ranks = [start(recipe, corpus, 4, World(rank, 2)) for rank in range(2)]
    for step in range(5):
        whole.step(step)
        pieces.step(step)
        for rank in ranks:
            rank.gradients(step, rank.sequences_of(step))
        total = torch.stack([rank.parameters.gradients for rank in ranks]).sum(0)
        for rank in ranks:
            rank.parameters.gradients.copy_(total)
            rank.update(step)
        for other in (pieces, *ranks):
            difference = norm(other.parameters.values - whole.parameters.values)
            assert difference < 1e-5 * norm(whole.parameters.values)
    assert torch.equal(ranks[0].parameters.values, ranks[1].parameters.values)


@each_change_at_length
def test_half_precision_trains_and_is_near_float32(
    name: str, corpus: Corpus, recipe_of: Callable[..., Recipe]
) -> None:
    recipe = recipe_of(name)
    precision = ("bfloat16", "float16")[list(CHANGES).index(name) % 2]
    train = recipe.train.model_copy(update={"precision": precision})
    exact, rounded = (
        start(recipe, corpus),
        start(recipe.model_copy(update={"train": train}), corpus),
    )
    for step in range(2):
        near, loss = rounded.step(step), exact.step(step).loss
        assert float(near.loss) == pytest.approx(float(loss), rel=0.02)
        assert not near.skipped
