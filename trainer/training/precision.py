"""Floating-point precision and determinism of a run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

import torch

from trainer.errors import ExecutionSettingError
from trainer.recipe import Recipe
from trainer.training.provenance import device_name

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""Data type of matrix products, for precisions where it differs from the parameters' type."""
NOTED_SLOWDOWN = 1.25
"""Warn about a precision that takes more than this many times as long as float32."""


def be_deterministic() -> None:
    """Make this process compute the same bits each time, on one device with one version of torch.

    Call it before CUDA is used. An operation without a deterministic algorithm then raises
    RuntimeError.
    """
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # cuBLAS reads it at its start
    torch.use_deterministic_algorithms(mode=True)
    # Filling new memory helps to find bugs, but takes time.
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010  (mypy)
    torch.backends.cudnn.benchmark = False


def prepare(recipe: Recipe, device: torch.device, note: Callable[[str], None]) -> None:
    """Set up the device for a run, and warn if its precision has no advantage on this device.

    Raises ExecutionSettingError if the device does not support it.
    """
    precision = recipe.train.precision
    if device.type == "cuda":
        # Only "float32" needs all bits; the others allow TensorFloat-32 where it applies.
        torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
        if precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise ExecutionSettingError(
                f'train.precision = "bfloat16", but {device_name(device)} has no bfloat16; '
                'use "float16" or "float32"'
            )
    elif precision == "tf32":
        note('train.precision = "tf32" is a GPU\'s; on this device it is float32')
    if precision in AUTOCAST:
        ratio = slowdown(AUTOCAST[precision], device)
        if ratio > NOTED_SLOWDOWN:
            note(
                f'train.precision = "{precision}" takes {ratio:.1f} times as long as float32 on '
                f"{device_name(device)} (a matrix product of 512 x 512)"
            )


def autocast(recipe: Recipe, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """The autocast context for the forward pass."""
    kind = AUTOCAST.get(recipe.train.precision)
    return torch.autocast(device.type, kind) if kind else contextlib.nullcontext()


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Compute float32 products without TensorFloat-32 within a `with` block."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def slowdown(kind: torch.dtype, device: torch.device) -> float:
    """How many times as long a matrix product takes in `kind` as in float32, measured now."""
    return _seconds(kind, device) / _seconds(torch.float32, device)


def _seconds(kind: torch.dtype, device: torch.device) -> float:
    a = torch.ones(512, 512, dtype=kind, device=device)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        (a @ a)[0, 0].item()  # waits for the device
        best = min(best, time.perf_counter() - began)
    return best
