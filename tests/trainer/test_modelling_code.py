"""Exported models in a fresh Python that has transformers and none of our packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from model.gpt import GPT
from tests.trainer.model_changes import CHANGES, SHAPE
from trainer.rundir.directory import RunDirectory
from trainer.sampling import Sampling, sample
from trainer.weights.export import export
from trainer.weights.pretrained import open_pretrained
from trainer.weights.weights import load_model

pytest.importorskip("accelerate", reason="the Trainer of transformers needs accelerate")

Weights = Callable[..., tuple[RunDirectory, GPT]]
Found = Mapping[str, Mapping[str, Any]]

OWN = "GPTSweepForCausalLM"
MODELS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "gpt2": ("GPT2LMHeadModel", CHANGES["tied"]),
    "llama": ("LlamaForCausalLM", CHANGES["llama"] | {"model.tie_embeddings": True}),
    "llama-biases": (
        "LlamaForCausalLM",
        CHANGES["llama"] | {"model.biases": "all", "model.rope_base": 500.0},
    ),
    "windows": (
        OWN,
        CHANGES["rope-partial"]
        | CHANGES["qk-norm"]
        | {"model.window": 3, "model.window_pattern": "SL", "model.kv_heads": 2}
        | {"model.tie_embeddings": True, "model.norm": "rms", "model.activation": "relu2"},
    ),
    "values": (
        OWN,
        CHANGES["value-embeddings-shared"] | CHANGES["residual-scale"] | CHANGES["softcap"],
    ),
    "experts": (OWN, CHANGES["experts"] | {"model.activation": "swiglu"}),
}
"""By name: the class that transformers makes of it, and its changes to `SHAPE`."""
SCRIPT = Path(__file__).with_name("fresh_transformers.py")

each_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def ours(make_weights: Weights, folder: Path) -> dict[str, GPT]:
    """The networks of the exported runs."""
    made = {}
    for name, (_, changes) in MODELS.items():
        given = {**SHAPE, "model.context": 32, "model.init_std": 0.1, **changes}
        run, made[name] = make_weights(folder / name / "run", given)
        export(run, folder / name / "model", "")
        tokens = torch.randint(0, 257, (3, 32), generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            torch.save((tokens, made[name](tokens)), folder / name / "expected.pt")
    return made


@pytest.fixture(scope="module")
def found(ours: dict[str, GPT], folder: Path) -> Found:
    """What the fresh Python found of each model."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = kept | {"HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1"}
    folders = [str(folder / name / "model") for name in ours]
    done = subprocess.run(
        [sys.executable, SCRIPT, *folders],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    results = (json.loads(line.removeprefix("FOUND ")) for line in lines)
    return dict(zip(ours, results, strict=True))


@each_model
def test_a_fresh_python_computes_the_logits_of_the_run(name: str, found: Found) -> None:
    assert found[name]["class"] == MODELS[name][0]
    assert found[name]["difference"] <= 1e-5


@pytest.mark.parametrize(
    "name", sorted(MODELS.keys() - {"gpt2"})
)  # GPT-2's class wants position_ids, too
def test_padding_on_the_left_changes_no_logits(name: str, found: Found) -> None:
    assert found[name]["padding"] <= 1e-5


@each_model
@pytest.mark.parametrize("way", ["greedy", "sampled", "beams"])
def test_generate_gives_the_same_tokens_with_each_cache_and_with_none(
    name: str, way: str, found: Found
) -> None:
    without, *others = found[name][way]
    assert all(each == without for each in others)


@each_model
def test_a_pipeline_writes_the_text_that_the_run_writes(
    name: str, found: Found, ours: dict[str, GPT]
) -> None:
    greedy = sample(ours[name], b"def f", Sampling(tokens=6, temperature=0), 256)
    assert found[name]["text"] == bytes(greedy).decode(errors="replace")


@each_model
def test_one_step_of_the_trainer_lowers_the_loss(name: str, found: Found) -> None:
    before, after = found[name]["losses"]
    assert after < before


@each_model
def test_a_trained_model_is_saved_and_loaded_again_with_its_code(name: str, found: Found) -> None:
    assert found[name]["again"] == 0
    assert found[name]["tied"] == MODELS[name][1].get("model.tie_embeddings", False)


@each_model
def test_what_transformers_trained_and_saved_is_read_back(
    name: str, found: Found, folder: Path
) -> None:
    assert found[name]["again"] == 0
    tokens, logits = torch.load(folder / name / "again.pt")
    back = load_model(open_pretrained(folder / name / "again"))
    with torch.no_grad():
        assert (back(tokens) - logits).abs().max() <= 1e-5


def test_an_export_with_its_own_code_has_these_files(folder: Path, found: Found) -> None:
    assert found["windows"]["class"] == OWN
    assert {path.name for path in (folder / "windows" / "model").iterdir()} == {
        "README.md",
        "config.json",
        "configuration_gpt_sweep.py",
        "generation_config.json",
        "layers_gpt_sweep.py",
        "model.safetensors",
        "modeling_gpt_sweep.py",
        "tokenizer.json",
        "tokenizer_config.json",
    }
