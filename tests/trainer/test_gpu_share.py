"""A run that shares a GPU keeps to its share of the memory; the GPU is made up here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from trainer.recipe import Recipe, Seeds
from trainer.sharing import CONTEXT_BYTES, MPS, SHARE, gpu_share, memory_limit, sharing
from trainer.training import memory
from trainer.training.memory import MicroBatches, free_bytes, keep_to_share

GPU = torch.device("cuda")
GIB = 2**30
TOTAL = 40 * GIB


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A GPU of 40 GiB with 30 GiB free; and the limits that were set for this process."""
    found: list[float] = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (30 * GIB, TOTAL))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _device: 1 * GIB)
    properties = SimpleNamespace(total_memory=TOTAL)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: properties)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda part, _device: found.append(part)
    )
    return found


def test_torch_is_kept_to_the_share_and_counts_on_no_more(
    limits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHARE, "0.25")
    keep_to_share(GPU)
    assert limits == [(10 * GIB - CONTEXT_BYTES) / TOTAL]
    assert free_bytes(GPU) == 10 * GIB - CONTEXT_BYTES - 1 * GIB


def test_a_run_that_has_its_gpu_alone_is_not_limited(
    limits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SHARE, raising=False)
    keep_to_share(GPU)
    keep_to_share(torch.device("cpu"))
    assert limits == []
    assert free_bytes(GPU) == 30 * GIB


def test_a_micro_batch_that_fits_a_whole_gpu_is_not_remembered_for_a_share(
    limits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "device_name", lambda _device: "GPU")
    recipe = Recipe(seeds=Seeds(init=1, order=1, dropout=1))
    keys = set()
    for share in ("1", "0.5", "0.25"):
        monkeypatch.setenv(SHARE, share)
        keys.add(MicroBatches(None)._key(recipe, GPU, 8))
    assert len(keys) == 3
    assert limits == []


@pytest.mark.parametrize(
    ("word", "share"), [("0.25", 0.25), ("1", 1), ("0", 1), ("-1", 1), ("7", 1), ("a half", 1)]
)
def test_what_is_no_share_stands_for_the_whole_gpu(word: str, share: float) -> None:
    assert gpu_share({SHARE: word}) == share
    assert gpu_share({}) == 1


def test_the_shares_of_all_runs_fit_a_gpu_beside_what_cuda_takes() -> None:
    assert 4 * (memory_limit(TOTAL, 0.25) + CONTEXT_BYTES) <= TOTAL
    assert memory_limit(4 * GIB, 0.1) > 0, "also where CUDA takes more than the share"
    assert memory_limit(TOTAL, 1) == TOTAL


def test_a_result_records_how_its_gpu_was_shared() -> None:
    assert sharing({}) == {}
    assert sharing({SHARE: "0.5"}) == {"gpu_share": 0.5, "mps": False}
    assert sharing({SHARE: "0.5", MPS: "1"}) == {"gpu_share": 0.5, "mps": True}
