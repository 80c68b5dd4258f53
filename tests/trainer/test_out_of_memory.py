"""How many sequences at once: found by trying, remembered, halved once, and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from model.gpt import GPT
from tests.trainer import forked
from trainer.corpora.corpus import Corpus
from trainer.errors import DeviceMemoryError
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.training import memory
from trainer.training.loop import train
from trainer.training.memory import MicroBatches
from trainer.training.trainer import Trainer
from trainer.training.world import Place

CPU = torch.device("cpu")
GPU = torch.device("cuda")
MESSAGES = {
    "a GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    "a CPU": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1"),
}
ARITHMETIC = (
    "11,744 parameters x 16 bytes = 0.000188 GB, and about 2.76e-05 GB for each sequence; set a "
    "smaller jobs.micro_batch, use a smaller model, or end other programs that use the device"
)


@pytest.fixture
def memory_for(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Lets no more than so many sequences at once through the model; those that were tried."""

    def limit(most: int, message: str = "a GPU") -> list[int]:
        tried: list[int] = []
        whole = GPT.add_gradients

        def add_gradients(
            self: GPT, tokens: Tensor, targets: Tensor, scale: Tensor, z_loss: float
        ) -> Tensor:
            tried.append(len(tokens))
            if len(tokens) > most:
                raise MESSAGES[message]
            return whole(self, tokens, targets, scale, z_loss)

        monkeypatch.setattr(GPT, "add_gradients", add_gradients)
        return tried

    return limit


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """A GPU as far as its name and size are concerned."""
    monkeypatch.setattr(memory, "device_name", lambda _device: "Imaginary 9000")
    properties = SimpleNamespace(total_memory=2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: properties)
    return GPU


def trainer_with(recipe: Recipe, corpus: Corpus, micro_batch: int) -> Trainer:
    return Trainer(recipe, corpus, Place(CPU, Execution(micro_batch=micro_batch)))


# Finding.


def test_the_largest_halved_micro_batch_that_fits_is_found_by_trying_and_remembered(
    recipe: Recipe,
    corpus: Corpus,
    memory_for: Callable[..., list[int]],
    gpu: torch.device,
    tmp_path: Path,
) -> None:
    trainer = trainer_with(recipe, corpus, 8)
    before = trainer.parameters.values.clone()
    tried = memory_for(5)
    for attempt in range(2):
        found = MicroBatches(tmp_path).find(recipe, gpu, 8, trainer._attempt)
        assert (attempt, found, tried) == (attempt, 4, [8, 4])
    assert torch.equal(trainer.parameters.values, before), "trying changes nothing that lasts"
    assert not trainer.parameters.gradients.any()
    remembered = json.loads((tmp_path / "micro-batches.json").read_bytes())
    assert list(remembered.values()) == [4]
    assert next(iter(remembered)).startswith("Imaginary 9000 ")


def test_another_shape_precision_or_batch_is_tried_anew(
    make_recipe: Callable[..., Recipe], gpu: torch.device, tmp_path: Path
) -> None:
    known = MicroBatches(tmp_path)
    for changes, most in (
        ({}, 8),
        ({"model.width": 32}, 8),
        ({"train.precision": "bfloat16"}, 8),
        ({}, 16),
    ):
        tried: list[int] = []
        assert known.find(make_recipe(changes), gpu, most, tried.append) == most
        assert tried == [most]
    known.find(make_recipe({"optimizer.learning_rate": 0.1}), gpu, 8, pytest.fail)


@pytest.mark.parametrize("damage", ["", "{", "[]", '"x"', "null", "many", "0", "-1", "2.5", "9"])
def test_a_damaged_file_of_micro_batches_is_ignored_and_rewritten(
    recipe: Recipe, gpu: torch.device, tmp_path: Path, damage: str
) -> None:
    known, file = MicroBatches(tmp_path), tmp_path / "micro-batches.json"
    known.find(recipe, gpu, 8, lambda _size: None)
    whole = file.read_text()
    (key,) = json.loads(whole)
    bad_value = damage in {"0", "-1", "2.5", "9", "null", '"x"'}
    file.write_text(f'{{"{key}": {damage}}}' if bad_value else damage)
    tried: list[int] = []
    assert known.find(recipe, gpu, 8, tried.append) == 8
    assert tried == [8]
    assert json.loads(file.read_text()) == json.loads(whole)


def test_a_recipe_whose_single_sequence_does_not_fit_is_refused_with_the_arithmetic(
    recipe: Recipe,
    corpus: Corpus,
    memory_for: Callable[..., list[int]],
    gpu: torch.device,
    tmp_path: Path,
) -> None:
    trainer = trainer_with(recipe, corpus, 8)
    tried = memory_for(0)
    with pytest.raises(DeviceMemoryError) as error:
        MicroBatches(tmp_path).find(recipe, gpu, 8, trainer._attempt)
    assert tried == [8, 4, 2, 1]
    start = "out of memory on Imaginary 9000 with a single sequence: 11,744 parameters x 16 bytes "
    assert str(error.value).startswith(start)
    assert not (tmp_path / "micro-batches.json").exists()


def test_another_error_is_not_taken_for_out_of_memory(recipe: Recipe, gpu: torch.device) -> None:
    def fail(_size: int) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal memory access"):
        MicroBatches(None).find(recipe, gpu, 8, fail)


@pytest.mark.parametrize(("sequences", "found"), [(100, 8), (8, 8), (7, 4), (3, 2), (1, 1)])
def test_on_a_cpu_the_micro_batch_is_calculated_and_not_tried(
    recipe: Recipe, sequences: int, found: int
) -> None:
    needs = memory.fixed_bytes(recipe) + sequences * memory.bytes_per_sequence(recipe, CPU)
    free = int(needs / memory.CPU_MEMORY_SHARE) + 1
    assert MicroBatches(None, free).find(recipe, CPU, 8, pytest.fail) == found


# Running out.


@pytest.mark.parametrize("message", MESSAGES)
def test_out_of_memory_halves_the_micro_batch_once_and_the_result_records_it(
    recipe: Recipe, corpus: Corpus, memory_for: Callable[..., list[int]], message: str
) -> None:
    place = Place(CPU, Execution(micro_batch=7))
    plain = train(recipe, corpus, None, place)
    tried = memory_for(4, message)
    halved = train(recipe, corpus, None, place)
    assert tried[:3] == [7, 4, 4]
    assert 7 not in tried[1:]
    assert halved.notes == [
        "out of memory at step 0 with a micro-batch of 7 sequences; went on with 4"
    ]
    assert (plain.micro_batch, halved.micro_batch) == (7, 4)
    assert halved.test_loss == pytest.approx(plain.test_loss, rel=1e-5)
    assert halved.last_loss == pytest.approx(plain.last_loss, rel=1e-5)


@pytest.mark.parametrize(
    ("limit", "micro_batch", "tried"),
    [
        (2, 8, "a micro-batch of 4, half of the size that was tried first"),
        (0, 1, "a micro-batch of 1"),
    ],
    ids=["a second time", "with a single sequence"],
)
def test_out_of_memory_ends_a_run_with_one_message_and_its_own_status(
    make_run: Callable[..., RunDirectory],
    memory_for: Callable[..., list[int]],
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    micro_batch: int,
    tried: str,
) -> None:
    monkeypatch.setattr(memory, "device_name", lambda _device: "a small machine")
    memory_for(limit)
    run = make_run("run", micro_batch=micro_batch)
    child = forked.ForkedRun(run)
    assert child.wait() == Exit.OUT_OF_MEMORY
    assert child.log() == f"out of memory on a small machine at step 0 with {tried}: {ARITHMETIC}\n"
    assert run.read_result() is None


def test_running_out_of_memory_later_is_reported_with_its_step(
    recipe: Recipe, corpus: Corpus, memory_for: Callable[..., list[int]]
) -> None:
    trainer = trainer_with(recipe, corpus, 8)
    trainer.step(0)
    memory_for(4)
    trainer.step(1)
    memory_for(2)
    with pytest.raises(DeviceMemoryError, match="at step 2 with a micro-batch of 4, half"):
        trainer.step(2)
