"""Runs that share a GPU, and scripts, which may use GPUs that torch cannot."""

from __future__ import annotations

import json

import pytest

from sweep.errors import ExecutionError
from sweep.executors.slots import Inventory, find_slots, take_inventory
from sweep.machine import processors
from sweep.reports.provenance_text import sharing_lines
from sweep.study.jobs_section import Jobs
from sweep.verdicts.provenance import parse_provenance
from trainer.sharing import SHARE


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


def test_a_run_that_shares_a_gpu_is_told_its_share() -> None:
    there = Inventory(["0"], cores=4)
    shared = find_slots(None, 0.25, there)
    assert {slot.environment[SHARE] for slot in shared} == {"0.25"}
    assert {slot.share for slot in shared} == {0.25}
    [alone] = find_slots(None, 1, there)
    assert (alone.share, alone.environment) == (1, {"CUDA_VISIBLE_DEVICES": "0"})


A100, T4 = "NVIDIA A100-SXM4-40GB", "Tesla T4"


def test_a_study_keeps_to_one_type_of_gpu_and_is_told_which_to_choose() -> None:
    there = Inventory(["0", "1", "2"], cores=4, names=[A100, A100, T4])
    with pytest.raises(ExecutionError) as refused:
        find_slots(None, 1, there)
    assert str(refused.value) == (
        f"the GPUs for the runs are of 2 types: {A100} (CUDA_VISIBLE_DEVICES 0 and 1) and {T4} "
        "(CUDA_VISIBLE_DEVICES 2); a study keeps to one, because other hardware rounds otherwise and "
        "would be mistaken for an effect. Type CUDA_VISIBLE_DEVICES=0,1 before the command, or set "
        "jobs.mixed_devices = true"
    )
    assert len(find_slots(None, 1, there, mixed=True)) == 3


@pytest.mark.parametrize(
    ("number", "per_run", "names"),
    [(2, 1, [A100, A100, T4]), (1, 2, [A100, A100, T4]), (None, 0.5, [T4] * 3), (None, 1, [])],
)
def test_gpus_that_no_run_uses_may_be_of_another_type(
    number: int | None, per_run: float, names: list[str]
) -> None:
    assert find_slots(number, per_run, Inventory(["0", "1", "2"], cores=4, names=names))


def test_gpus_are_named_by_their_number_or_the_beginning_of_their_uuid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = {"name": [A100, T4], "uuid": ["GPU-8f3a-1", "GPU-77aa-2"]}
    monkeypatch.setattr(processors, "_listed_gpus", listed.__getitem__)
    assert processors.gpu_names(["1", "0"]) == [T4, A100]
    assert processors.gpu_names(["GPU-77aa-2", "GPU-8f"]) == [T4, A100]
    assert processors.gpu_names(["MIG-GPU-8f3a-1/0/0"]) == []
    assert processors.gpu_names([]) == []


@pytest.mark.parametrize(
    ("shares", "line"),
    [
        ([None, None], []),
        ([(0.25, True)], ["GPUs were shared: 4 runs on each GPU with CUDA MPS."]),
        (
            [(0.5, False), None],
            [
                "GPUs were shared: 2 runs on each GPU by turns (no CUDA MPS) and one run on each GPU."
            ],
        ),
    ],
)
def test_a_report_says_how_gpus_were_shared(
    shares: list[tuple[float, bool] | None], line: list[str]
) -> None:
    texts = [json.dumps({"gpu_share": each[0], "mps": each[1]} if each else {}) for each in shares]
    assert sharing_lines(list(map(parse_provenance, texts))) == line


def test_scripts_use_gpus_that_torch_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "torch_has_cuda", lambda: False)
    monkeypatch.setattr(processors, "installed_gpus", lambda: ["0", "1"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert take_inventory().gpus == []
    assert take_inventory(with_torch=False).gpus == ["0", "1"]
