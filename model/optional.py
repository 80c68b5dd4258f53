"""Optional modules: `triton_kernels`, or None if Triton is not installed."""

from __future__ import annotations

try:
    from model import triton_kernels
except ImportError:  # only CUDA builds of torch install Triton
    triton_kernels = None  # type: ignore[assignment]

__all__ = ["triton_kernels"]
