"""Compile loops with numba, and run them over rows with as many threads as torch has."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import torch


def compile_loop(
    signature: str | None = None,
    **options: Any,  # noqa: ANN401  (options of numba.njit)
) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a loop: numba compiles it, or loads it from its cache on disk.

    With a signature that happens at once, otherwise at the first call.
    """
    # Sums may be reordered and products fused, but infinities and NaNs are respected.
    options |= {"fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy", "nogil": True}

    def decorate(function: Callable[..., Any]) -> Any:  # noqa: ANN401  (numba's dispatcher)
        try:
            return numba.njit(signature, cache=True, **options)(function)
        except RuntimeError:  # there is no folder to cache it in
            return numba.njit(signature, **options)(function)

    return decorate


def run_in_rows(kernel: Callable[..., None], rows: int, *arguments: Any) -> None:  # noqa: ANN401
    """Run `kernel(first, last, *arguments)` over range(rows), with as many threads as torch has."""
    threads = min(torch.get_num_threads(), rows)
    if threads <= 1:
        kernel(0, rows, *arguments)
        return
    bounds = [rows * part // threads for part in range(threads + 1)]
    work = _pool(os.getpid(), threads).map(
        lambda first, last: kernel(first, last, *arguments), bounds[:-1], bounds[1:]
    )
    for _ in work:  # raises a thread's exception
        pass


@functools.cache
def _pool(_process: int, threads: int) -> ThreadPoolExecutor:
    """The thread pool of a process; cached by process id, since threads do not survive a fork."""
    return ThreadPoolExecutor(threads)
