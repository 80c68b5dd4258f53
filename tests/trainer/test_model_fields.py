"""Every field of the model's configuration is exported faithfully, or refused by its name.

A new field fails here until `OTHER_VALUES` has a value for it and `model.huggingface.EXPORTS` says
how GPT-2's format holds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from model.config import ModelConfig
from model.gpt import GPT
from model.huggingface import EXPORTS
from trainer.errors import WeightsError
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.weights.export import export
from trainer.weights.pretrained import MAY_DIFFER, open_pretrained
from trainer.weights.weights import load_weights

Weights = Callable[..., tuple[RunDirectory, GPT]]
MakeRecipe = Callable[..., Recipe]

OTHER_VALUES: dict[str, Any] = {
    "layers": 3,
    "heads": 4,
    "width": 32,
    "context": 8,
    "dropout": 0.7,
    "qkv_bias": True,
    "norm": "rms",
    "init_std": 0.3,
    "tie_embeddings": True,
    "position": "rope",
    "rope_base": 500.0,
    "rope_share": 0.5,
    "qk_norm": True,
    "kv_heads": 1,
    "window": 5,
    "window_pattern": "SL",
    "activation": "relu2",
    "biases": "none",
    "logit_softcap": 1.5,
    "zero_init_projections": True,
    "residual_scale": True,
    "value_embeddings": True,
    "experts": 2,
    "active_experts": 1,
    "expert_balance": 0.0,
}
"""For each field a value that the runs of these tests do not have by default."""
NEEDED: dict[str, dict[str, Any]] = {
    "rope_base": {"position": "rope"},
    "rope_share": {"position": "rope"},
    "window_pattern": {"window": 5},
    "active_experts": {"experts": 2},
    "expert_balance": {"experts": 2},
}
"""Fields without which others have no effect."""
SERVING = {
    *("context", "dropout", "qkv_bias", "init_std", "tie_embeddings", "zero_init_projections")
}
"""Fields in which weights may differ from the model that they are for."""
EXPORTED = {"layers", "heads", "width", "biases"} | SERVING
VOCABULARY = 257

each_field = pytest.mark.parametrize("field", ModelConfig.model_fields)


def of_model(changes: dict[str, Any]) -> dict[str, Any]:
    return {f"model.{field}": value for field, value in changes.items()}


def one_of(changes: dict[str, Any]) -> str:
    """A pattern for any of these fields and its value."""
    return "|".join(re.escape(f"model.{field} = {value!r}") for field, value in changes.items())


def logits(model: Any, context: int) -> torch.Tensor:  # noqa: ANN401  (ours or transformers')
    read = torch.randint(0, VOCABULARY, (3, context), generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        found = model(read)
    return found if isinstance(found, torch.Tensor) else found.logits


def test_every_field_is_declared_and_nothing_else() -> None:
    fields = set(ModelConfig.model_fields)
    assert set(EXPORTS) == fields
    assert set(OTHER_VALUES) == fields
    assert fields > MAY_DIFFER


@each_field
def test_a_field_is_exported_faithfully_or_refused_by_its_name(
    field: str, make_weights: Weights, tmp_path: Path
) -> None:
    value = OTHER_VALUES[field]
    usual, _ = make_weights(tmp_path / "usual")
    assert getattr(open_pretrained(usual.path).config, field) != value
    changes = {**NEEDED.get(field, {}), field: value}
    run, ours = make_weights(tmp_path / "run", of_model(changes))
    if field not in EXPORTED:
        with pytest.raises(WeightsError, match=f"cannot be exported: ({one_of(changes)}): "):
            export(run, tmp_path / "exported", "")
        return
    export(run, tmp_path / "exported", "")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "exported").eval()
    context = ours.config.context
    torch.testing.assert_close(logits(theirs, context), logits(ours, context), atol=1e-5, rtol=0)
    assert all(getattr(theirs.config, key) == value for key in EXPORTS[field].keys)


@each_field
def test_weights_serve_a_model_that_differs_in_a_field_or_are_refused_by_its_name(
    field: str, make_weights: Weights, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    tied = field == "tie_embeddings"
    run, ours = make_weights(tmp_path / "run", {"model.tie_embeddings": tied})
    source = open_pretrained(run.path)
    value = False if tied else OTHER_VALUES[field]
    changes = {**NEEDED.get(field, {}), field: value}
    recipe = make_recipe(of_model(changes))
    if field not in SERVING:
        with pytest.raises(WeightsError, match=f"({one_of(changes)}), but the weights"):
            source.check_fits(recipe)
        return
    source.check_fits(recipe)
    model = GPT(recipe.model, VOCABULARY).eval()
    load_weights(model, source)
    context = recipe.model.context
    torch.testing.assert_close(logits(model, context), logits(ours, context), atol=1e-5, rtol=0)


def test_a_field_that_is_not_declared_is_refused(
    make_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = make_weights(tmp_path / "run")
    monkeypatch.delitem(EXPORTS, "dropout")  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=r"model\.dropout = .*GPT-2's format has no such field"):
        export(run, tmp_path / "exported", "")
