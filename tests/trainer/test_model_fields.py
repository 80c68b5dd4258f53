"""Every field of the model's configuration is exported faithfully.

A new field fails here until `OTHER_VALUES` has a value for it, and each format's `EXPORTS` says how
it holds the field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from model import huggingface, llama, own_code
from model.config import ModelConfig
from model.export_format import Export
from model.gpt import GPT
from model.size import parameter_count
from trainer.errors import WeightsError
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.weights.export import export
from trainer.weights.pretrained import MAY_DIFFER, open_pretrained
from trainer.weights.weights import load_model, load_weights

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
EXPORTS: dict[str, Mapping[str, Export]] = {
    "gpt2": huggingface.EXPORTS,
    "llama": llama.EXPORTS,
    "gpt_sweep": own_code.EXPORTS,
}
"""By the `model_type` of an export."""
LLAMA: dict[str, Any] = {
    "norm": "rms",
    "position": "rope",
    "activation": "swiglu",
    "biases": "none",
}
"""Fields of a model that Llama's class holds."""
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


@pytest.fixture(autouse=True, scope="module")
def _code_of_exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder of its own for the modelling code that transformers copies and imports."""
    with pytest.MonkeyPatch.context() as patch:
        modules = str(tmp_path_factory.mktemp("modules"))
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", modules)
        patch.syspath_prepend(modules)
        yield


def test_every_field_is_declared_and_nothing_else() -> None:
    fields = set(ModelConfig.model_fields)
    assert all(set(exports) == fields for exports in EXPORTS.values())
    assert set(OTHER_VALUES) == fields
    assert fields > MAY_DIFFER


@pytest.mark.parametrize("activation", huggingface.ACTIVATIONS)
def test_gpt2s_class_computes_each_activation_without_a_gate(
    activation: str, make_weights: Weights, tmp_path: Path
) -> None:
    changes = {"activation": activation, "init_std": 0.2}
    run, ours = make_weights(tmp_path / "run", of_model(changes))
    export(run, tmp_path / "exported", "")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "exported").eval()
    assert type(theirs).__name__ == "GPT2LMHeadModel"
    context = ours.config.context
    torch.testing.assert_close(logits(theirs, context), logits(ours, context), atol=1e-5, rtol=0)


@each_field
@pytest.mark.parametrize("others", [{}, LLAMA], ids=["gpt2", "llama"])
def test_a_field_is_exported_faithfully(
    field: str, others: dict[str, Any], make_weights: Weights, tmp_path: Path
) -> None:
    value = OTHER_VALUES[field]
    usual, _ = make_weights(tmp_path / "usual")
    assert getattr(open_pretrained(usual.path).config, field) != value
    changes = {**others, **NEEDED.get(field, {}), field: value}
    if field == "qkv_bias":
        changes.pop("biases", None)
    run, ours = make_weights(tmp_path / "run", of_model(changes))
    export(run, tmp_path / "exported", "")
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path / "exported", trust_remote_code=True
    ).eval()
    context = ours.config.context
    torch.testing.assert_close(logits(theirs, context), logits(ours, context), atol=1e-5, rtol=0)
    source = open_pretrained(tmp_path / "exported")
    assert source.config == ours.config
    source.check_fits(run.read_request().recipe)
    back = load_model(source)
    torch.testing.assert_close(logits(back, context), logits(ours, context), atol=1e-5, rtol=0)
    assert sum(each.numel() for each in theirs.parameters()) >= parameter_count(
        ours.config, VOCABULARY
    )
    config = json.loads((tmp_path / "exported" / "config.json").read_bytes())
    keys = EXPORTS[theirs.config.model_type][field].keys
    assert all(config[key] == value for key in keys)


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


def test_a_field_that_no_format_declares_is_refused(
    make_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = make_weights(tmp_path / "run")
    for exports in EXPORTS.values():
        monkeypatch.delitem(exports, "dropout")  # type: ignore[arg-type]
    words = r"model\.dropout = .*: the modelling code of exports has no such field"
    with pytest.raises(WeightsError, match=words):
        export(run, tmp_path / "exported", "")


PLAIN = {"gpt2": {"biases": "none", "dropout": 0.3}, "llama": {**LLAMA, "kv_heads": 2}}
"""By class of transformers: fields that its configuration does not tell, or not all of them."""


@pytest.mark.parametrize("name", PLAIN)
def test_an_export_that_transformers_has_saved_again_is_still_the_model_of_the_run(
    name: str, make_weights: Weights, tmp_path: Path
) -> None:
    run, ours = make_weights(tmp_path / "run", of_model(PLAIN[name]))
    export(run, tmp_path / "exported", "")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "exported")
    theirs.save_pretrained(tmp_path / "again")
    assert open_pretrained(tmp_path / "again").config == ours.config


def train_a_bias(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.h.0.mlp.c_fc.bias"][3] = 0.1
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def edit_the_activation(folder: Path) -> None:
    fields = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(fields | {"activation_function": "relu2"}))


def record_nonsense(folder: Path) -> None:
    fields = json.loads((folder / "config.json").read_bytes())
    fields["gpt_sweep_model"]["norm"] = "rms"
    (folder / "config.json").write_text(json.dumps(fields))


@pytest.mark.parametrize("change", [train_a_bias, edit_the_activation, record_nonsense])
def test_an_export_that_was_changed_since_is_read_as_its_class_has_it(
    change: Callable[[Path], None], make_weights: Weights, tmp_path: Path
) -> None:
    run, ours = make_weights(tmp_path / "run", of_model({"biases": "none"}))
    export(run, tmp_path / "exported", "")
    assert open_pretrained(tmp_path / "exported").config == ours.config
    change(tmp_path / "exported")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "exported").eval()
    source = open_pretrained(tmp_path / "exported")
    assert (source.config.biases, source.config.norm) == ("all", "layer")
    context = ours.config.context
    back = load_model(source)
    torch.testing.assert_close(logits(theirs, context), logits(back, context), atol=1e-5, rtol=0)
