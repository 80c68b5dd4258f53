"""`jobs.deterministic`: torch is told, and a run on a CPU, the same bits anyway, stays as it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.trainer.forked import ForkedRun
from trainer.processes import run as run_module
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

MakeRun = Callable[..., RunDirectory]


def computed(run: RunDirectory) -> tuple[bool, tuple[object, ...]]:
    """Train a run; returns its `deterministic` flag and all that it computed, to the last bit."""
    child = ForkedRun(run)
    assert child.wait() == Exit.DONE, child.log()
    result = run.read_result()
    assert result is not None
    return result.provenance["deterministic"], (
        result.test_loss,
        result.chunk_losses,
        result.last_loss,
        run.weights.read_bytes(),
    )


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"processes": 2}, {"micro_batch": 3}], ids=str)
def test_a_deterministic_run_repeats_exactly_and_equals_any_other_run_on_a_cpu(
    make_run: MakeRun, settings: dict[str, Any]
) -> None:
    noisy = {"model.dropout": 0.3, "optimizer.clip_norm": 1.0}
    runs = [
        computed(make_run(name, noisy, **settings, deterministic=name != "free"))
        for name in ("once", "twice", "free")
    ]
    assert [deterministic for deterministic, _ in runs] == [True, True, False]
    assert runs[0][1] == runs[1][1] == runs[2][1]


def test_torch_and_cublas_are_configured_before_the_first_operation(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_arguments: object) -> None:
        raise RuntimeError(
            f"{torch.are_deterministic_algorithms_enabled()} "
            f"{torch.is_deterministic_algorithms_warn_only_enabled()} "
            f"{torch.backends.cudnn.benchmark} {os.environ['CUBLAS_WORKSPACE_CONFIG']}"
        )

    monkeypatch.setattr(run_module, "_train", look)
    child = ForkedRun(make_run("run", deterministic=True))
    assert child.wait() == Exit.FAILED
    assert "RuntimeError: True False False :4096:8" in child.log()
