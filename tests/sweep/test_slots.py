"""Slots: one per group of GPUs, or per group of cores without a GPU."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file

from sweep.errors import ExecutionError, StudyError
from sweep.executors import slots
from sweep.executors.slots import find_slots
from sweep.machine import processors
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.study.file import parse_study
from sweep.study.jobs_section import Jobs
from trainer.execution import Execution

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that gives the machine some GPUs, and eight cores."""
    monkeypatch.setattr(slots, "available_cores", lambda: 8)
    monkeypatch.setattr(processors, "torch_has_cuda", lambda: True)
    monkeypatch.setattr(processors, "installed_gpus", lambda: list("01234567"))
    return lambda names: monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)


@pytest.mark.parametrize(
    ("number", "per_run", "groups", "threads"),
    [
        (None, 1, ["0", "1", "2", "3"], 2),
        (None, 2, ["0,1", "2,3"], 4),
        (None, 3, ["0,1,2"], 8),
        (None, 4, ["0,1,2,3"], 8),
        (1, 2, ["0,1"], 8),
    ],
)
def test_each_run_has_gpus_of_its_own(
    gpus: Callable[[str], None],
    number: int | None,
    per_run: int,
    groups: list[str],
    threads: int,
) -> None:
    gpus("0,1,2,3")
    found = find_slots(number, per_run)
    assert [slot.environment for slot in found] == [
        {"CUDA_VISIBLE_DEVICES": group} for group in groups
    ]
    assert [slot.name for slot in found] == [f"gpu {g.replace(',', '+')}" for g in groups]
    assert {(slot.device, slot.threads) for slot in found} == {("cuda", threads)}


def test_gpus_keep_the_names_in_cuda_visible_devices(gpus: Callable[[str], None]) -> None:
    gpus("5, GPU-8f3a,7")
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in find_slots(None, 1)] == [
        "5",
        "GPU-8f3a",
        "7",
    ]


@pytest.mark.parametrize(
    ("cuda", "there", "named", "found", "why"),
    [
        (True, 0, "0", 0, "CUDA_VISIBLE_DEVICES = 0 names a GPU, but this machine has no GPU"),
        (
            False,
            1,
            "0",
            0,
            "CUDA_VISIBLE_DEVICES = 0 names a GPU, but torch was built without CUDA",
        ),
        (
            False,
            0,
            "0",
            0,
            "CUDA_VISIBLE_DEVICES = 0 names a GPU, but torch was built without CUDA",
        ),
        (False, 1, None, 0, "This machine has a GPU, but torch was built without CUDA"),
        (True, 1, "5", 0, "CUDA_VISIBLE_DEVICES = 5 names a GPU, but this machine has 1 GPU"),
        (True, 2, "1,5", 1, None),
        (True, 2, None, 2, None),
        (True, 2, "", 0, None),
        (False, 0, None, 0, None),
    ],
)
def test_only_gpus_that_are_there_and_that_torch_can_use_are_used(
    monkeypatch: pytest.MonkeyPatch,
    cuda: bool,
    there: int,
    named: str | None,
    found: int,
    why: str | None,
) -> None:
    monkeypatch.setattr(processors, "torch_has_cuda", lambda: cuda)
    monkeypatch.setattr(processors, "installed_gpus", lambda: [str(i) for i in range(there)])
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert len(processors.find_gpus()) == found
    assert processors.why_no_gpu() == why


def test_whether_torch_has_cuda_is_known_without_importing_it() -> None:
    assert processors.torch_has_cuda() == (torch.version.cuda is not None)


@pytest.mark.parametrize("none", ["", "-1"])
def test_without_gpus_the_processes_of_a_run_share_cores(
    gpus: Callable[[str], None], none: str
) -> None:
    gpus(none)
    found = find_slots(None, 2)
    assert [(slot.name, slot.device, slot.threads) for slot in found] == [
        (f"cpu {index}", "cpu", 2) for index in range(4)
    ]
    assert all(slot.environment == {} for slot in found)


def test_without_gpus_a_study_for_more_gpus_than_cores_has_one_slot(
    gpus: Callable[[str], None],
) -> None:
    gpus("")
    assert [(slot.name, slot.threads) for slot in find_slots(None, 64)] == [("cpu 0", 8)]


@pytest.mark.parametrize(
    ("names", "number", "per_run", "sentence"),
    [
        (
            "0,1,2,3",
            None,
            5,
            "jobs.gpus_per_run = 5 is not possible here; this machine has 4 GPUs, so 1 to 4 are allowed",
        ),
        (
            "",
            2,
            9,
            "--slots 2 is not possible here; this machine has 8 cores, 9 for each run, so 1 to 1 are allowed",
        ),
        (
            "0,1,2,3",
            3,
            2,
            "--slots 3 is not possible here; this machine has 4 GPUs, 2 for each run, so 1 to 2 are allowed",
        ),
        (
            "0,1,2,3",
            5,
            1,
            "--slots 5 is not possible here; this machine has 4 GPUs, so 1 to 4 are allowed",
        ),
    ],
)
def test_too_many_slots_or_gpus_are_refused_with_the_largest_number_allowed(
    gpus: Callable[[str], None], names: str, number: int | None, per_run: int, sentence: str
) -> None:
    gpus(names)
    with pytest.raises(ExecutionError) as error:
        find_slots(number, per_run)
    assert str(error.value) == sentence


WRONG_SHARE = (
    "jobs.gpus_per_run: gpus_per_run is a whole number of GPUs, or 1 divided by the number of runs "
    "that share one GPU: 0.5, 0.33, 0.25, 0.2"
)
JOBS: dict[str, tuple[str, object, str]] = {
    "a word for a micro-batch": (
        "micro_batch",
        "lots",
        'jobs.micro_batch: micro_batch is a number of sequences, or "auto" for as many as fit',
    ),
    "an empty micro-batch": (
        "micro_batch",
        0,
        "'jobs.micro_batch' = 0 must be 'auto' or at least 1",
    ),
    "half a micro-batch": (
        "micro_batch",
        0.5,
        "'jobs.micro_batch' = 0.5 must be 'auto' or a whole number",
    ),
    "an unknown way to keep": (
        "keep",
        "all",
        "'jobs.keep' = 'all' must be 'weights' or 'nothing'",
    ),
    "no GPU for a run": ("gpus_per_run", 0, "'jobs.gpus_per_run' = 0 must be at least 0.01"),
    "a GPU and a half": ("gpus_per_run", 1.5, WRONG_SHARE),
    "a share that does not go up": ("gpus_per_run", 0.4, WRONG_SHARE),
    "a negative time between checkpoints": (
        "checkpoint_seconds",
        -1,
        "'jobs.checkpoint_seconds' = -1 must be at least 0",
    ),
    "an infinite time between checkpoints": (
        "checkpoint_seconds",
        float("inf"),
        "'jobs.checkpoint_seconds' = inf must be a finite number",
    ),
    "a word for compilation": (
        "compile",
        "alway",
        "'jobs.compile' = 'alway' must be 'auto', 'always' or 'never'; did you mean 'always'?",
    ),
    "a misspelt setting": (
        "micro_bach",
        4,
        "'jobs.micro_bach' is not a field; did you mean 'jobs.micro_batch'?",
    ),
}


@pytest.mark.parametrize(("field", "value", "sentence"), JOBS.values(), ids=JOBS)
def test_invalid_job_settings_are_refused_with_the_valid_ones(
    content: dict[str, Any], field: str, value: object, sentence: str
) -> None:
    content["jobs"] = {field: value}
    with pytest.raises(StudyError) as error:
        parse_study(content, "s.toml")
    assert str(error.value) == f"s.toml: {sentence}"


def test_settings_reach_the_runs() -> None:
    assert Jobs().execution() == Execution()
    settings = {
        "micro_batch": 4,
        "compile": "never",
        "deterministic": True,
        "checkpoint_seconds": 60,
        "keep": "nothing",
    }
    jobs = Jobs(gpus_per_run=2, **settings)
    assert jobs.execution() == Execution(processes=2, **settings)


@pytest.mark.slow
def test_runs_on_two_processes_have_the_losses_of_runs_on_one(
    empty: Path, finished: tuple[Path, object], study_text: str, sweep: Run
) -> None:
    if slots.available_cores() < 2:
        pytest.skip("one core")
    text = study_text.replace("seeds = 2", "seeds = [1]")
    (empty / "s.toml").write_text(text + '[jobs]\ngpus_per_run = 2\nkeep = "weights"\n')
    done = sweep(empty, "run", "s.toml")
    assert done.returncode == 0, done.stderr
    assert not list(empty.rglob(".ranks-*"))
    one, two = (rows_of(folder) for folder in (finished[0], empty))
    assert len(two) == 3
    for run_id, row in two.items():
        assert row["processes"] == 2
        assert one[run_id]["processes"] == 1
        assert row["test_loss"] == pytest.approx(one[run_id]["test_loss"], rel=1e-5)
        weights = [
            load_file(folder / "runs" / run_id[:16] / "weights.safetensors")
            for folder in (finished[0], empty)
        ]
        for name, value in weights[0].items():
            assert weights[1][name] == pytest.approx(value, abs=1e-4)


def rows_of(folder: Path) -> dict[str, Any]:
    """The runs of the study in a folder, by their ids."""
    store = Store(store_url(None, folder / "runs"))
    try:
        return {each.run.id: vars(each.run) for each in store.study_runs("tiny")}
    finally:
        store.engine.dispose()
