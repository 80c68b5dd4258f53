"""Compiled blocks read the masks of those that are not, and are compiled once for all steps.

Only a GPU's are compiled. Here its operations are traced on a CPU, but for the fused attention.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model import attention, cross_entropy, feed_forward, linear, norm
from model import dropout as dropout_module
from model.block import Block
from model.gpt import GPT
from tests.patience import PATIENCE
from tests.zygote import Zygote
from trainer.corpora.corpus import Corpus
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.training.compile import compile_model
from trainer.training.loop import train
from trainer.training.methods import METHODS
from trainer.training.trainer import Trainer
from trainer.training.world import Place

CPU = torch.device("cpu")
TRAIN = """
import sys
from pathlib import Path
from trainer.processes.run import train_directory
print({int(train_directory(Path(run), "cpu", 1)) for run in sys.argv[1:]})
print("torch._dynamo" in sys.modules)
"""


def explicit_attention(qkv: Tensor, heads: int, dropout: dropout_module.Dropout) -> Tensor:
    """The result of a GPU's fused kernel, computed with masks on a CPU."""
    query, key, value = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    hidden = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).triu(1)
    scores = (query @ key.mT / query.shape[-1] ** 0.5).masked_fill(hidden, float("-inf"))
    weights = scores.softmax(-1)
    return ((weights * dropout.keep_mask(tuple(weights.shape))) @ value).transpose(1, 2).flatten(2)


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """The operations that a GPU is given, and its place in the dropout stream, on the CPU.

    Yields a list that tells of each call of the fused attention if it was compiled.
    """
    compiled: list[bool] = []

    def fused_with_dropout(qkv: Tensor, heads: int, dropout: dropout_module.Dropout) -> Tensor:
        compiled.append(torch.compiler.is_compiling())
        return explicit_attention(qkv, heads, dropout)

    for module in (feed_forward, cross_entropy, linear, norm, dropout_module):
        monkeypatch.setattr(module, "is_plain", lambda _x: False)
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(
        dropout_module.DropoutStream,
        "to",
        lambda self, _device: setattr(self, "on_device", torch.zeros(4, dtype=torch.int64)),
    )
    monkeypatch.setattr(
        attention.CausalSelfAttention,
        "_in_tiles",
        lambda self, qkv, *_others: attention.fused_with_dropout(qkv, self.heads, self.dropout),
    )
    monkeypatch.setattr(attention, "fused_with_dropout", fused_with_dropout)
    dynamo = importlib.import_module("torch._dynamo")  # slow, and only here
    limit = dynamo.config.recompile_limit
    yield compiled
    dynamo.config.recompile_limit = limit
    dynamo.reset()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch._dynamo looks at it
def test_pairing_survives_compilation_and_no_step_is_recompiled(
    corpus: Corpus,
    make_recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
    as_on_a_gpu: list[bool],
) -> None:
    monkeypatch.setattr(
        Block, "compile", lambda self, **how: nn.Module.compile(self, backend="aot_eager", **how)
    )
    monkeypatch.setattr(GPT, "_is_plain", False)  # as on a GPU, where blocks are called
    recipe = make_recipe({"model.dropout": 0.3})
    place = Place(CPU, Execution(micro_batch=4))
    plain, compiled = Trainer(recipe, corpus, place), Trainer(recipe, corpus, place)
    gpu: Any = SimpleNamespace(
        device=torch.device("cuda"), execution=Execution(compile="always"), cache=None
    )
    compile_model(compiled.model, recipe, gpu, pytest.fail)
    stats = torch._dynamo.utils.counters["stats"]
    graphs = []
    for step in range(4):
        one, other = plain.step(step), compiled.step(step)
        assert float(other.loss) == pytest.approx(float(one.loss), rel=1e-6)
        assert float(other.norm) == pytest.approx(float(one.norm), rel=1e-5)
        graphs.append(stats["unique_graphs"])
    assert graphs[0] > 0
    assert graphs == graphs[:1] * 4
    assert as_on_a_gpu
    assert not any(as_on_a_gpu), "the compiler sees the generator that it sets"


def test_on_a_cpu_nothing_is_compiled_and_a_request_for_it_is_noted(
    recipe: Recipe, corpus: Corpus
) -> None:
    asked = train(recipe, corpus, None, Place(CPU, Execution(compile="always")))
    plain = train(recipe, corpus, None, Place(CPU, Execution(compile="never")))
    assert asked.notes == [
        'jobs.compile = "always" is for a GPU; on this device nothing is compiled'
    ]
    assert asked.test_loss == plain.test_loss
    assert plain.notes == []


def test_a_run_on_a_cpu_does_not_import_the_compiler(
    make_run: Callable[..., RunDirectory], zygote: Zygote, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    runs = [str(make_run(kind, {"optimizer.kind": kind}).path) for kind in METHODS]
    done = zygote.run_script(tmp_path / "train.py", runs, tmp_path, PATIENCE)
    assert done.stdout == "{0}\nFalse\n", done.stderr
