"""The comparison is fair: every contender computes the same function, only in another way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from benchmarks.contenders import Contender, NanoGPTStyle, Ours, Textbook, Transformers
from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
STEPS = 5
OTHERS = {
    "textbook": Textbook,
    "transformers": Transformers,
    "nanoGPT-style": partial(NanoGPTStyle, backend=None),
}

Make = Callable[[Recipe, Corpus, torch.device], Contender]


def losses(make: Make, recipe: Recipe, corpus: Corpus) -> Tensor:
    contender = make(recipe, corpus, CPU)
    return torch.stack([contender.step(step) for step in range(STEPS)])


@pytest.fixture(params=sorted(OTHERS))
def other(request: pytest.FixtureRequest) -> Make:
    if request.param == "transformers":
        pytest.importorskip("transformers", reason="transformers is not installed: see [hub]")
    return OTHERS[request.param]


@pytest.mark.filterwarnings("ignore")  # what transformers warns of is its own affair
@pytest.mark.parametrize("gpt2", [True, False], ids=["as-gpt2", "untied-without-bias"])
def test_from_equal_weights_without_dropout_every_step_has_our_loss(
    other: Make, corpus: Corpus, make_recipe: Callable[..., Recipe], gpt2: bool
) -> None:
    recipe = make_recipe(tie_embeddings=gpt2, qkv_bias=gpt2)
    ours = losses(Ours, recipe, corpus)
    assert ours[-1] < ours[0]
    torch.testing.assert_close(losses(other, recipe, corpus), ours, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_dropout_is_on_in_every_contender_at_the_three_kinds_of_places(
    other: Make, corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    contender = other(make_recipe(dropout=0.1), corpus, CPU)
    tokens, targets = contender.read(0)
    with torch.no_grad():
        assert contender.loss(tokens, targets) != contender.loss(tokens, targets)
    rates = [m.p for m in contender.model.modules() if isinstance(m, torch.nn.Dropout)]
    rates += [m.rate for m in contender.model.modules() if hasattr(m, "rate")]
    assert set(rates) == {0.1}
    assert len(rates) >= 1 + 2 * 2


def test_in_sixteen_bits_all_stay_near_the_loss_in_thirty_two(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    full = make_recipe()
    half = full.model_copy(
        update={"train": full.train.model_copy(update={"precision": "bfloat16"})}
    )
    expected = losses(Textbook, full, corpus)
    for make in (Textbook, OTHERS["nanoGPT-style"]):
        torch.testing.assert_close(losses(make, half, corpus), expected, rtol=0, atol=0.02)
