"""The share of a GPU that a run has: told by environment variables, so that scripts get it, too.

Light to import: no torch here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

SHARE = "SWEEP_GPU_SHARE"
"""Environment variable with the share of a GPU's memory that a run may take: `0.25`."""
MPS = "SWEEP_MPS"
"""Environment variable that is `1` if runs on a GPU compute at the same time, through CUDA MPS."""
CONTEXT_BYTES = 2**29
"""Bytes of a share that are left to CUDA itself: its context in each process, which torch's allocator
does not count. It is between 300 and 500 MiB by the GPU and the libraries that are loaded."""


def gpu_share(environment: Mapping[str, str] = os.environ) -> float:
    """The share of a GPU that this process may take; 1 for all of it."""
    try:
        share = float(environment.get(SHARE, "1"))
    except ValueError:
        return 1.0
    return share if 0 < share < 1 else 1.0


def share_environment(share: float) -> dict[str, str]:
    """The variables that tell a run its share; none for a run that has its GPU alone."""
    return {SHARE: str(share)} if share < 1 else {}


def memory_limit(total: int, share: float) -> int:
    """Bytes that torch may allocate on a GPU of `total` bytes for a run with this share."""
    if share >= 1:
        return total
    return max(int(total * share) - CONTEXT_BYTES, int(total * share) // 2)


def sharing(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What a result records of sharing: nothing for a run that had its GPU alone."""
    share = gpu_share(environment)
    return {} if share == 1 else {"gpu_share": share, "mps": environment.get(MPS) == "1"}
