"""The tests that need a GPU: precisions, micro-batches, masks, checkpoints, compilation."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from model import device_masks
from model.attention import fused_with_dropout
from model.dropout import Dropout, DropoutStream, dropped_levels, use_dropout
from trainer.corpora.corpus import Corpus
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.rundir.directory import Result, RunDirectory
from trainer.rundir.exits import Exit
from trainer.training.loop import train
from trainer.training.trainer import Trainer
from trainer.training.world import Place

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),  # compilers'
]

MakeRecipe = Callable[..., Recipe]
MakeRun = Callable[..., RunDirectory]
SHAPE = {
    "model.layers": 2,
    "model.width": 64,
    "model.context": 64,
    "model.tie_embeddings": True,
    "train.tokens": 64 * 8 * 20,
    "optimizer.clip_norm": 1.0,
}
NEAR = {"float32": 1e-4, "tf32": 5e-3, "bfloat16": 3e-2, "float16": 5e-3}
"""How far a gradient may be from that of a CPU in float32, in norms."""
NOISY = {**SHAPE, "model.dropout": 0.3}


@pytest.mark.parametrize("compiled", ["never", "always"])
@pytest.mark.parametrize("kind", NEAR)
def test_each_precision_compiled_or_not_trains_as_float32_does_on_a_cpu(
    corpus: Corpus, make_recipe: MakeRecipe, kind: str, compiled: Literal["never", "always"]
) -> None:
    still = {**SHAPE, "model.dropout": 0.0}
    place = Place(torch.device("cuda"), Execution(compile=compiled))
    recipe = make_recipe({**still, "train.precision": kind})
    exact = Trainer(make_recipe(still), corpus, Place(torch.device("cpu")))
    other = Trainer(recipe, corpus, place)
    for trainer in (exact, other):
        trainer.gradients(0, trainer.sequences)
    found = (other.parameters.gradients / other.optimizer.scale).cpu()
    difference = (found - exact.parameters.gradients).norm() / found.norm()
    assert float(difference) < NEAR[kind]
    result = train(recipe, corpus, None, place)
    assert result.test_loss is not None
    assert result.test_loss < 4.5, "it learns"


@pytest.mark.parametrize("positions", [64, 1024])
@pytest.mark.parametrize(("kind", "near"), [(torch.float32, 1e-6), (torch.bfloat16, 0.0)])
def test_attention_dropout_depends_on_the_sequence_and_not_on_the_micro_batch(
    positions: int, kind: torch.dtype, near: float
) -> None:
    site, stream = Dropout(0.5, site=1), DropoutStream(3)
    use_dropout(site, stream)
    qkv = torch.randn(1, positions, 3 * 4 * 64, device="cuda").to(kind).expand(6, -1, -1)
    qkv = qkv.contiguous()
    stream.seek(7, 0)
    whole = fused_with_dropout(qkv, 4, site)
    for first, last in ((0, 1), (1, 3), (3, 6)):
        stream.seek(7, first)
        part = fused_with_dropout(qkv[first:last], 4, site)
        torch.testing.assert_close(part, whole[first:last], atol=near, rtol=0)
    assert (whole[1:] - whole[:-1]).abs().amax(dim=(1, 2)).min() > 0.01


@pytest.mark.parametrize("compiled", ["never", "always"])
@pytest.mark.parametrize(("kind", "near"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_micro_batches_agree_including_dropout(
    corpus: Corpus,
    make_recipe: MakeRecipe,
    kind: str,
    near: float,
    compiled: Literal["never", "always"],
) -> None:
    recipe = make_recipe({**NOISY, "train.precision": kind})
    whole, parts = (
        Trainer(
            recipe,
            corpus,
            Place(torch.device("cuda"), Execution(micro_batch=size, compile=compiled)),
        )
        for size in (8, 2)
    )
    for trainer in (whole, parts):
        trainer.gradients(3, trainer.sequences)
    difference = (whole.parameters.gradients - parts.parameters.gradients).norm()
    assert float(difference / whole.parameters.gradients.norm()) < near
    stats = torch._dynamo.utils.counters["stats"]
    graphs = stats["unique_graphs"]
    for trainer in (whole, parts, whole, parts):
        trainer.step(4)
    assert stats["unique_graphs"] == graphs, "nothing is compiled anew"


@pytest.mark.parametrize("shape", [(3, 70), (1, 1), (16, 1024 * 64)])
def test_dropout_masks_equal_those_of_the_kernels(shape: tuple[int, int]) -> None:
    stream = DropoutStream(2**40)
    stream.to(torch.device("cuda"))
    stream.seek(5, 3)
    assert stream.on_device is not None
    site = torch.tensor(7, device="cuda")
    made = device_masks.keep_mask(stream.on_device, site, shape, dropped_levels(0.2))
    expected = stream.keep_mask(0.2, 7, shape)
    torch.testing.assert_close(made.cpu(), expected, rtol=1e-7, atol=0)


def start(root: Path, run: RunDirectory) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sweep", "train", str(run.path), "--device", "cuda"]
    return subprocess.Popen(command, cwd=root, stderr=run.log.open("ab"))


def computed(run: RunDirectory) -> tuple[object, ...]:
    """All that a run has computed, to the last bit."""
    result: Result | None = run.read_result()
    assert result is not None, run.last_log_line()
    assert result.provenance["deterministic"]
    return result.test_loss, result.chunk_losses, result.last_loss, run.weights.read_bytes()


@pytest.mark.parametrize("kind", NEAR)
def test_a_deterministic_run_repeats_to_the_last_bit_also_if_interrupted(
    root: Path, make_run: MakeRun, wait_for_training: Callable[[RunDirectory], None], kind: str
) -> None:
    changes: dict[str, Any] = {
        **NOISY,
        "train.precision": kind,
        "train.tokens": 64 * 8 * 2_000,
    }
    whole, again = (make_run(name, changes, deterministic=True) for name in ("whole", "again"))
    first, second = start(root, whole), start(root, again)
    wait_for_training(again)
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == Exit.STOPPED
    assert start(root, again).wait(120) == first.wait(120) == Exit.DONE
    assert computed(whole) == computed(again)
