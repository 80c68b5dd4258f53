"""What only some installations have."""

from __future__ import annotations

try:
    from model import triton_kernels
except ImportError:  # torch brings Triton along in its builds for CUDA
    triton_kernels = None  # type: ignore[assignment]

__all__ = ["triton_kernels"]
