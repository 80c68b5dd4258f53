"""Kernels of the activations of the feed-forward network (see model.kernels)."""

from __future__ import annotations

import numpy as np

from model.compiled import compile_loop
from model.kernels import exp

_f4 = np.float32

_LINEAR = np.float32(2 * np.sqrt(2 / np.pi))
_CUBIC = np.float32(0.044715 * 2 * np.sqrt(2 / np.pi))


@compile_loop("void(i8, i8, f4[:, ::1], f4[::1], f4[:, ::1])")
def gelu(first, last, x, bias, out):
    """Let out = GELU(v), by the tanh approximation, where v = x + bias; `x` and `out` (row, unit).

    Uses 0.5 (1 + tanh u) = logistic(2u): out = v * logistic(2 sqrt(2/pi) (v + 0.044715 v^3)).
    """
    for row in range(first, last):
        line, result = x[row], out[row]
        for unit in range(line.size):
            v = line[unit] + bias[unit]
            result[unit] = v / (_f4(1) + exp(-v * (_LINEAR + _CUBIC * v * v)))


@compile_loop("void(i8, i8, f4[:, ::1], f4[::1], f4[:, ::1], f4[:, ::1])")
def gelu_backward(first, last, x, bias, grad, out):
    """Backward of `gelu`: the gradient of `out` becomes that of x + bias, in place in `grad`.

    `out` is computed again and written.
    """
    for row in range(first, last):
        line, up, result = x[row], grad[row], out[row]
        for unit in range(line.size):
            v = line[unit] + bias[unit]
            square = _CUBIC * v * v
            share = _f4(1) / (_f4(1) + exp(-v * (_LINEAR + square)))
            slope = v * (_LINEAR + _f4(3) * square) * share * (_f4(1) - share)
            result[unit] = v * share
            up[unit] *= share + slope
