"""Training on several next tokens: with every kind of block, counted, and only while training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from model.block import Block
from model.gpt import GPT
from model.init import initialise
from model.multi_token import make_model
from model.size import flops_per_token, parameter_count, parameter_shapes
from tests.trainer.plain_training import PlainTrainer
from tests.trainer.recipes import refusal
from tests.trainer.reference import copy_of
from trainer.corpora.corpus import Corpus
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.training.compile import compile_model
from trainer.training.evaluate import evaluate
from trainer.training.memory import bytes_per_sequence, fixed_bytes
from trainer.training.trainer import Trainer
from trainer.training.world import Place
from trainer.weights.export import export
from trainer.weights.pretrained import open_pretrained
from trainer.weights.weights import load_model

VOCABULARY = 257
CPU = Place(torch.device("cpu"), Execution(micro_batch=8))
MakeRecipe = Callable[..., Recipe]

BLOCKS: dict[str, dict[str, Any]] = {
    "one-layer": {},
    "dropout": {"model.layers": 2, "model.dropout": 0.2, "model.qkv_bias": True},
    "experts": {
        "model.experts": 4,
        "model.expert_balance": 0.5,
        "model.activation": "swiglu",
        "train.z_loss": 0.1,
    },
    "further-inputs": {
        "model.layers": 3,
        "model.residual_scale": True,
        "model.value_embeddings": True,
        "model.tie_embeddings": True,
        "train.first_context": 4,
    },
    "llama": {
        "model.layers": 2,
        "model.norm": "rms",
        "model.biases": "none",
        "model.position": "rope",
        "model.kv_heads": 1,
        "model.window": 5,
        "model.window_pattern": "LS",
        "model.logit_softcap": 5.0,
    },
}
"""What the blocks of a model, and so those of its further heads, may have."""

each_block = pytest.mark.parametrize("name", BLOCKS)


def initial(recipe: Recipe) -> GPT:
    model = make_model(recipe.model, VOCABULARY, recipe.train.multi_token)
    initialise(model, recipe.seeds.init)
    return model


@each_block
def test_losses_and_weights_are_those_of_a_plain_trainer(
    name: str, corpus: Corpus, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe({"train.multi_token": 3, **BLOCKS[name]})
    product = Trainer(recipe, corpus, CPU)
    plain = PlainTrainer(product.model, recipe, corpus)
    for step in range(6):
        assert float(product.step(step).loss) == pytest.approx(plain.step(step), rel=1e-5)
    numbers = sum(float(each.detach().double().square().sum()) for each in plain.model.parameters())
    found = product.parameters.values.double().square().sum()
    assert float(found) == pytest.approx(numbers, rel=1e-5)


@each_block
def test_parameters_and_operations_of_the_further_heads_are_counted_exactly(
    name: str, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe({"train.multi_token": 4, **BLOCKS[name]})
    shape, model = recipe.model, initial(recipe)
    kept = {key: tuple(each.shape) for key, each in model.kept_parameters().items()}
    assert kept == parameter_shapes(shape, VOCABULARY)
    assert parameter_count(shape, VOCABULARY, 4) == sum(p.numel() for p in model.parameters())
    forward = [
        forward_products(recipe, model, each) / shape.context for each in (4, 1)
    ]  # per token, with all pairs of positions, and without vectors
    further = flops_per_token(shape, VOCABULARY, 4) - flops_per_token(shape, VOCABULARY)
    last = shape.window or shape.context  # every last layer with a window has it
    keys = sum(min(query + 0.5, last) for query in range(shape.context)) / shape.context
    scores = 3 * (12 * shape.width * keys - 12 * shape.width * shape.context)
    vectors = 3 * sum(p.numel() for p in model.blocks[-1].parameters() if p.dim() == 1)
    norm = sum(p.numel() for p in model.final_norm.parameters())
    vectors += norm * sum(1 - ahead / shape.context for ahead in (1, 2, 3))
    assert further == pytest.approx(3 * (forward[0] - forward[1]) + scores + 6 * vectors, rel=1e-12)
    whole = make_recipe(BLOCKS[name])
    assert recipe.flops > whole.flops
    device = torch.device("cpu")
    assert fixed_bytes(recipe) > fixed_bytes(whole)
    assert bytes_per_sequence(recipe, device) > bytes_per_sequence(whole, device)


def forward_products(recipe: Recipe, model: GPT, heads: int) -> int:
    plain = copy_of(model, recipe, torch.float32)
    del plain.further_heads[heads - 1 :]
    tokens = torch.zeros(1, recipe.model.context, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        plain.of_each_head(tokens)
    return counter.get_total_flops()


def test_a_head_begins_with_the_same_weights_whatever_the_number_of_heads(
    make_recipe: MakeRecipe,
) -> None:
    two, four = (initial(make_recipe({"train.multi_token": each})) for each in (2, 4))
    for key, parameter in two.named_parameters():
        assert torch.equal(parameter, four.get_parameter(key)), key


def test_a_finished_run_keeps_evaluates_and_exports_the_first_head_alone(
    make_run: Callable[..., RunDirectory],
    attempt: Callable[..., int],
    corpus: Corpus,
    tmp_path: Path,
) -> None:
    run = make_run("run", {"train.multi_token": 3}, keep="weights", checkpoint_seconds=0)
    attempt(run, step=4)
    assert attempt(run) == Exit.DONE
    recipe, result = run.read_request().recipe, run.read_result()
    assert load_file(run.weights).keys() == parameter_shapes(recipe.model, VOCABULARY).keys()
    model = load_model(open_pretrained(run.path))
    assert result
    assert evaluate(model, corpus, recipe, CPU).nats_per_token == result.test_loss
    export(run, tmp_path / "exported", "")
    exported = load_model(open_pretrained(tmp_path / "exported"))
    tokens = torch.arange(32).view(2, 16)
    torch.testing.assert_close(exported(tokens), model(tokens), atol=1e-6, rtol=1e-6)


def test_further_heads_keep_their_initial_weights_where_training_begins_with_other_weights(
    make_weights: Callable[..., tuple[RunDirectory, GPT]],
    make_recipe: MakeRecipe,
    corpus: Corpus,
    tmp_path: Path,
) -> None:
    run, weights = make_weights(tmp_path / "weights")
    recipe = make_recipe({"train.multi_token": 2, "model.init_std": 0.1})
    trainer = Trainer(recipe, corpus, CPU)
    trainer.load_initial_weights(open_pretrained(run.path))
    drawn = initial(recipe).state_dict()
    for name, tensor in trainer.model.state_dict().items():
        expected = drawn if name.startswith("further_heads.") else weights.state_dict()
        assert torch.equal(tensor, expected[name]), name


def test_blocks_of_further_heads_are_compiled_too(
    make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Block] = []
    monkeypatch.setattr(Block, "compile", lambda self, **_how: compiled.append(self))
    recipe = make_recipe({"train.multi_token": 3})
    gpu: Any = SimpleNamespace(
        device=torch.device("cuda"), execution=Execution(compile="always"), cache=None
    )
    compile_model(initial(recipe), recipe, gpu, pytest.fail)
    assert len(compiled) == 3


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            {"multi_token": 9},
            "train.multi_token = 9 is more than model.context = 8: no sequence has a token so far ahead",
        ),
        (
            {"multi_token": 3, "first_context": 2},
            "train.multi_token = 3 is more than train.first_context = 2: no sequence has a token",
        ),
        ({"multi_token": 0}, "greater than or equal to 1"),
    ],
)
def test_tokens_beyond_every_sequence_are_refused(train: dict[str, int], message: str) -> None:
    model, evaluation = {"context": 8}, {"chunk_tokens": 8}
    assert message in refusal(model=model, evaluation=evaluation, train=train)
