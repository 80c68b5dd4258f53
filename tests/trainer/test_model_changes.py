"""Every change to the model: computed as its source has it, paired, counted, resumed, compiled.

The list is `tests.trainer.model_changes.CHANGES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from model.dropout import Dropout
from model.gpt import GPT
from model.incremental import Reader
from model.init import initialise
from model.size import flops_per_token, parameter_count, parameter_shapes
from tests.trainer.model_changes import CHANGES, DRAWN_ANEW, SHAPE, SLOW_STEPS, untried
from tests.trainer.reference import ReferenceTrainer, copy_of
from tests.trainer.texts import lines_as_documents
from trainer.corpora.corpus import Corpus
from trainer.corpora.tokenizer import document_border
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.training.trainer import Trainer
from trainer.training.world import Place

STEPS = 50
VOCABULARY = 257
END_OF_TEXT = 256
CPU = torch.device("cpu")
MakeRecipe = Callable[..., Recipe]

each_change = pytest.mark.parametrize("name", CHANGES)


@pytest.fixture(scope="module")
def corpus(corpus: Corpus) -> Corpus:
    """The small corpus; its lines are documents."""
    return replace(corpus, train=lines_as_documents(corpus.train))


@pytest.fixture(scope="module")
def changed(make_recipe: MakeRecipe) -> Callable[..., Recipe]:
    """Makes the recipe of a change, with a budget of fifty steps."""

    def make(name: str | None, **more: object) -> Recipe:
        fields = {**SHAPE, **(CHANGES[name] if name else {}), **more}
        context, batch = fields.get("model.context", 16), fields["train.batch_size"]
        return make_recipe({**fields, "train.tokens": STEPS * context * batch})  # type: ignore[operator]

    return make


def start(recipe: Recipe, corpus: Corpus, micro_batch: int = 4) -> Trainer:
    """A trainer whose biases, norms and learned factors are all in use."""
    trainer = Trainer(recipe, corpus, Place(CPU, Execution(micro_batch=micro_batch)))
    shake(trainer.model)
    return trainer


@torch.no_grad()
def shake(model: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator).to(parameter))


def initial(recipe: Recipe) -> GPT:
    model = GPT(recipe.model, VOCABULARY, document_border(recipe.data))
    initialise(model, recipe.seeds.init)
    return model


def test_every_field_and_every_choice_is_tried() -> None:
    assert untried() == set()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.nightly) if name in SLOW_STEPS else name
        for name in CHANGES
    ],
)
def test_fifty_steps_have_the_losses_and_norms_of_a_plain_trainer(
    name: str, corpus: Corpus, changed: Callable[..., Recipe]
) -> None:
    recipe = changed(name)
    product = start(recipe, corpus)
    plain = ReferenceTrainer(product.model, recipe, corpus)
    losses = []
    for step in range(STEPS):
        taken = product.step(step)
        loss, norm = plain.step(step)
        assert float(taken.loss) == pytest.approx(loss, rel=1e-5), f"loss of step {step}"
        assert float(taken.norm) == pytest.approx(norm, rel=1e-4), f"norm of step {step}"
        losses.append(loss)
    assert sum(losses[-10:]) < sum(losses[:10]) - 0.5, "it learns"


@each_change
def test_every_other_initial_parameter_and_every_dropout_site_stays_as_it_was(
    name: str, changed: Callable[..., Recipe]
) -> None:
    usual, other = (initial(changed(each)) for each in (None, name))
    mine, theirs = (dict(model.named_parameters()) for model in (other, usual))
    for key in mine.keys() & theirs.keys():
        scaled = key.endswith(DRAWN_ANEW.get(name, "nothing"))
        same = mine[key].shape != theirs[key].shape or torch.equal(mine[key], theirs[key])
        assert same or scaled, key
    shared = sites(usual).keys() & sites(other).keys()
    assert all(sites(usual)[site] == sites(other)[site] for site in shared)
    assert shared in (sites(usual).keys(), sites(other).keys())


def sites(model: GPT) -> dict[str, int]:
    return {name: each.site for name, each in model.named_modules() if isinstance(each, Dropout)}


@each_change
def test_parameters_and_operations_are_counted_exactly(
    name: str, changed: Callable[..., Recipe]
) -> None:
    recipe = changed(name)
    shape, model = recipe.model, initial(recipe)
    shapes = {key: tuple(parameter.shape) for key, parameter in model.named_parameters()}
    assert parameter_shapes(shape, VOCABULARY) == shapes
    assert parameter_count(shape, VOCABULARY) == sum(p.numel() for p in model.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        copy_of(model, recipe, torch.float32)(torch.zeros(1, shape.context, dtype=torch.int64))
    forward = counter.get_total_flops() / shape.context
    # The plain model computes scores of all pairs; the 6N rule counts vectors and half of the pairs.
    scores = 4 * shape.layers * shape.width * shape.context
    vectors = sum(size[0] for size in shapes.values() if len(size) == 1)
    counted = flops_per_token(shape, VOCABULARY) - 6 * vectors
    seen = sum(keys_per_query(shape))
    assert counted == pytest.approx(3 * (forward - scores) + 12 * shape.width * seen, rel=1e-12)


def keys_per_query(shape: Any) -> list[float]:  # noqa: ANN401  (a ModelConfig)
    """The mean number of keys that a query attends to in each layer, the diagonal counted half."""
    windows = {"S": shape.window or shape.context, "L": shape.context}
    pattern = (shape.window_pattern * shape.layers)[: shape.layers]
    of_each = {
        kind: sum(min(query + 0.5, width) for query in range(shape.context)) / shape.context
        for kind, width in windows.items()
    }
    return [of_each[kind] for kind in pattern]


@each_change
def test_micro_batches_agree_with_the_whole_batch_within_1e_5(
    name: str, corpus: Corpus, changed: Callable[..., Recipe]
) -> None:
    recipe = changed(name)
    whole, pieces = start(recipe, corpus), start(recipe, corpus, micro_batch=3)
    one, other = whole.step(0), pieces.step(0)
    assert float(other.loss) == pytest.approx(float(one.loss), rel=1e-5)
    difference = whole.parameters.gradients - pieces.parameters.gradients
    assert float(difference.norm()) < 1e-5 * float(whole.parameters.gradients.norm())


@each_change
def test_a_continued_run_ends_with_the_same_bits(
    name: str, corpus: Corpus, changed: Callable[..., Recipe]
) -> None:
    recipe = changed(name)
    through = start(recipe, corpus)
    through.step(0)
    saved = {key: tensor.clone() for key, tensor in through.state().items()}
    continued = Trainer(recipe, corpus, through.place)
    continued.load_state(saved)
    losses = [[trainer.step(step).loss for step in (1, 2)] for trainer in (through, continued)]
    assert torch.equal(*map(torch.stack, losses))
    assert torch.equal(through.parameters.values, continued.parameters.values)


@each_change
def test_losses_and_gradients_in_bfloat16_are_near_those_in_float32(
    name: str, corpus: Corpus, changed: Callable[..., Recipe]
) -> None:
    trainer = start(changed(name), corpus)
    inputs, targets = trainer.batches.read(0)
    found = []
    for enabled in (False, True):
        trainer.parameters.forget_gradients()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = trainer.model.loss(inputs, targets, torch.tensor(1 / targets.numel()))
        loss.backward()  # type: ignore[no-untyped-call]
        found.append((float(loss.detach()), float(trainer.parameters.gradient_norm())))
    assert found[1] == pytest.approx(found[0], rel=0.02)


@each_change
def test_a_sequence_read_in_pieces_gives_the_logits_of_the_whole(
    name: str, changed: Callable[..., Recipe]
) -> None:
    model = initial(changed(name)).eval()
    shake(model)
    context = model.config.context
    # One document: a text that is read for generation ends with the end-of-text token.
    tokens = torch.randint(0, END_OF_TEXT, (context,), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = model(tokens[None])[0]
    assert float(expected.std()) > 0.02
    reader, begin = Reader(model), 0
    for end in (3, 4, 5, context - 1, context):
        logits = reader.read(tokens[begin:end])
        torch.testing.assert_close(logits, expected[end - 1], atol=1e-5, rtol=1e-5)
        begin = end
    with pytest.raises(IndexError):
        reader.read(tokens[:1])


@pytest.fixture
def compiler() -> Iterator[None]:
    """Forgets compiled code after the test."""
    yield
    importlib.import_module("torch._dynamo").reset()


@pytest.mark.nightly
@pytest.mark.usefixtures("compiler")
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch._dynamo looks at it
@each_change
def test_compiled_blocks_compute_the_same(name: str, changed: Callable[..., Recipe]) -> None:
    model = initial(changed(name, **{"model.layers": 1})).eval().double()
    shake(model)
    tokens = torch.arange(24).view(2, -1) if model.config.context > 8 else torch.arange(8)[None]
    tokens[0, 3] = END_OF_TEXT
    plain = gradients(model, tokens)
    for block in model.blocks:
        block.compile(backend="aot_eager", dynamic=False)
    for mine, theirs in zip(gradients(model, tokens), plain, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def gradients(model: GPT, tokens: Tensor) -> tuple[Tensor, ...]:
    # float64 is not the type that this package has its own kernels for.
    loss = model.loss(tokens, tokens, torch.tensor(1.0, dtype=torch.float64))
    return torch.autograd.grad(loss, list(model.parameters()))
