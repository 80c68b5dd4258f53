"""Runs that share a GPU, and scripts, which may use GPUs that torch cannot."""

from __future__ import annotations

import pytest

from sweep.errors import ExecutionError
from sweep.executors.slots import Inventory, find_slots, take_inventory
from sweep.machine import processors
from sweep.study.jobs_section import Jobs


@pytest.mark.parametrize(("share", "sharing"), [(0.5, 2), (0.25, 4), (0.33, 3), (0.1, 10)])
def test_runs_that_share_a_gpu_have_slots_of_their_own(share: float, sharing: int) -> None:
    there = Inventory(["0", "5"], cores=16)
    found = find_slots(None, Jobs(gpus_per_run=share).gpus_per_run, there)
    assert len(found) == 2 * sharing
    assert len({slot.name for slot in found}) == 2 * sharing
    assert [slot.name for slot in found[:3]] == [
        f"gpu 0 1/{sharing}",
        f"gpu 5 1/{sharing}",
        f"gpu 0 2/{sharing}",
    ]
    used = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in found]
    assert used.count("0") == used.count("5") == sharing
    assert {slot.threads for slot in found} == {max(1, 16 // (2 * sharing))}
    few = find_slots(2, share, there)
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in few] == ["0", "5"]


def test_a_share_of_a_gpu_is_a_whole_slot_without_one() -> None:
    assert len(find_slots(None, 0.25, Inventory([], cores=2))) == 2


def test_more_slots_than_shares_are_refused() -> None:
    with pytest.raises(ExecutionError, match=r"1 GPUs, 4 runs on each, so 1 to 4 are allowed"):
        find_slots(5, 0.25, Inventory(["0"], cores=2))


def test_a_share_trains_with_one_process_and_whole_numbers_stay_whole() -> None:
    assert Jobs(gpus_per_run=0.25).execution() == Jobs().execution()
    assert repr(Jobs(gpus_per_run=2.0).gpus_per_run) == "2"
    assert Jobs(gpus_per_run=2).execution().processes == 2


def test_scripts_use_gpus_that_torch_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "torch_has_cuda", lambda: False)
    monkeypatch.setattr(processors, "installed_gpus", lambda: ["0", "1"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert take_inventory().gpus == []
    assert take_inventory(with_torch=False).gpus == ["0", "1"]
