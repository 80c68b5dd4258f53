"""`data.mask_documents`: attention does not cross the borders of documents.

Training, precision, resuming and several processes are tested with all other changes, in
`test_model_changes.py` and `test_training_fields.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.gpt import GPT
from tests.trainer.reference import copy_of, mean_cross_entropy
from tests.trainer.texts import lines_as_documents, read
from trainer.corpora.corpus import Corpus
from trainer.errors import CorpusError
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.training.evaluate import evaluate
from trainer.training.trainer import Trainer
from trainer.training.world import Place
from trainer.weights.pretrained import open_pretrained
from trainer.weights.weights import load_model

MakeRecipe = Callable[..., Recipe]

CPU = Place(torch.device("cpu"))
END = 256
MASKED = {"data.mask_documents": True, "model.init_std": 0.1}


@pytest.fixture
def masked(corpus: Corpus, make_recipe: MakeRecipe) -> GPT:
    """A model of rotated positions that reads documents apart, in evaluation mode."""
    recipe = make_recipe({**MASKED, "model.position": "rope", "model.dropout": 0.2})
    return Trainer(recipe, corpus, CPU).model.eval()


def two_documents(first: int) -> Tensor:
    """A sequence of 16 tokens; the first document's six are `first` and what follows it."""
    ahead = torch.arange(first, first + 6)
    return torch.cat([ahead, torch.tensor([END]), torch.arange(100, 109)])[None]


def test_what_comes_before_a_border_changes_nothing_after_it_to_the_bit(masked: GPT) -> None:
    with torch.no_grad():
        one, other = (masked(two_documents(first)) for first in (10, 40))
    assert torch.equal(one[:, 6:], other[:, 6:])
    assert not torch.equal(one[:, :6], other[:, :6])


def test_no_gradient_crosses_a_border(masked: GPT) -> None:
    masked.train()
    tokens = two_documents(10)
    found = []
    for kept in (range(6), range(6, 16)):
        masked.zero_grad()
        hidden = masked.hidden(tokens)[0, kept]
        hidden.square().sum().backward()  # type: ignore[no-untyped-call]
        gradient = masked.token_embedding.weight.grad
        assert gradient is not None
        found.append(set(gradient.abs().sum(1).nonzero().flatten().tolist()))
    before, after = set(range(10, 16)), {END, *range(100, 109)}
    assert found == [before, after]


def test_a_document_has_the_logits_that_it_has_alone(masked: GPT) -> None:
    whole = two_documents(10)
    with torch.no_grad():
        beside, alone = masked(whole)[:, 6:], masked(whole[:, 6:])
    torch.testing.assert_close(beside, alone, atol=1e-5, rtol=1e-5)


def test_the_test_loss_is_that_of_documents_read_apart(
    corpus: Corpus, make_recipe: MakeRecipe
) -> None:
    lines = replace(corpus, test=lines_as_documents(corpus.test))
    recipe = make_recipe(MASKED)
    model = Trainer(recipe, lines, CPU).model
    text = torch.from_numpy(lines.test[: 4 * 64 + 1].astype(np.int64))
    assert END in text
    apart, together = (copy_of(model, each, torch.float64) for each in (recipe, make_recipe()))
    losses = [
        float(mean_cross_entropy(plain(text[:-1].view(16, 16)).flatten(0, 1), text[1:]).detach())
        for plain in (apart, together)
    ]
    found = evaluate(model, lines, recipe, CPU).nats_per_token
    assert found == pytest.approx(losses[0], rel=1e-5)
    assert found != pytest.approx(losses[1], rel=1e-3)


def test_the_weights_of_a_run_are_read_back_with_its_borders(
    make_weights: Callable[..., tuple[RunDirectory, GPT]], tmp_path: Path
) -> None:
    for masks in (False, True):
        run, _ = make_weights(tmp_path / str(masks), {"data.mask_documents": masks})
        assert load_model(open_pretrained(run.path)).end_of_text == (END if masks else None)


def test_training_text_of_a_single_document_is_refused(
    tmp_path: Path, corpus: Corpus, make_recipe: MakeRecipe
) -> None:
    text = " ".join(f"sentence {number}." for number in range(800))
    (tmp_path / "c.txt").write_text(text)
    single, recipe = read(tmp_path / "c.txt"), make_recipe(MASKED)
    with pytest.raises(
        CorpusError, match=r"mask_documents = true has no effect: .*c\.txt.* is one document; use a"
    ):
        single.check_fits(recipe)
    single.check_fits(make_recipe())
    (tmp_path / "d.txt").write_text(text.replace(". ", ".###"))
    read(tmp_path / "d.txt", separator="###").check_fits(recipe)
    corpus.check_fits(recipe)
