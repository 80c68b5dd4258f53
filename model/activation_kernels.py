"""Kernels of the activations of the feed-forward network (see model.kernels).

Each comes with its backward pass, which computes the activation again. Both add the bias.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from model.compiled import compile_loop
from model.kernels import exp

_f4 = np.float32

_LINEAR = np.float32(2 * np.sqrt(2 / np.pi))
_CUBIC = np.float32(0.044715 * 2 * np.sqrt(2 / np.pi))
_DENSITY = np.float32(1 / np.sqrt(2 * np.pi))


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


@functools.partial(compile_loop, inline="always")()
def _normal_distribution(v):
    """P(N(0, 1) <= v) to 3e-7: with erf by the rational function of Eigen's and XLA's float32 erf."""
    x = v * _f4(0.70710678118654752)
    s = x * x
    p = _f4(-2.72614225801306e-10)
    p = p * s + _f4(2.77068142495902e-08)
    p = p * s + _f4(-2.10102402082508e-06)
    p = p * s + _f4(-5.69250639462346e-05)
    p = p * s + _f4(-7.34990630326855e-04)
    p = p * s + _f4(-2.95459980854025e-03)
    p = p * s + _f4(-1.60960333262415e-02)
    q = _f4(-1.45660718464996e-05)
    q = q * s + _f4(-2.13374055278905e-04)
    q = q * s + _f4(-1.68282697438203e-03)
    q = q * s + _f4(-7.37332916720468e-03)
    q = q * s + _f4(-1.42647390514189e-02)
    share = _f4(0.5) + _f4(0.5) * x * p / q
    share = _f4(0) if x < _f4(-4) else share  # beyond, the function is not erf; NaN stays NaN
    return _f4(1) if x > _f4(4) else share


@compile_loop("void(i8, i8, f4[:, ::1], f4[::1], f4[:, ::1])")
def gelu_exact(first, last, x, bias, out):
    """Let out = v P(N(0, 1) <= v), where v = x + bias; `x` and `out` (row, unit)."""
    for row in range(first, last):
        line, result = x[row], out[row]
        for unit in range(line.size):
            v = line[unit] + bias[unit]
            result[unit] = v * _normal_distribution(v)


@compile_loop("void(i8, i8, f4[:, ::1], f4[::1], f4[:, ::1], f4[:, ::1])")
def gelu_exact_backward(first, last, x, bias, grad, out):
    """Backward of `gelu_exact`, in place in `grad` as in `gelu_backward`."""
    for row in range(first, last):
        line, up, result = x[row], grad[row], out[row]
        for unit in range(line.size):
            v = line[unit] + bias[unit]
            share = _normal_distribution(v)
            result[unit] = v * share
            up[unit] *= share + v * _DENSITY * exp(_f4(-0.5) * v * v)


@compile_loop("void(i8, i8, f4[:, ::1], f4[::1], f4[:, ::1])")
def squared_relu(first, last, x, bias, out):
    """Let out = max(x + bias, 0)^2; `x` and `out` (row, unit)."""
    for row in range(first, last):
        line, result = x[row], out[row]
        for unit in range(line.size):
            v = line[unit] + bias[unit]
            v = _f4(0) if v < _f4(0) else v  # NaN stays NaN
            result[unit] = v * v


@compile_loop("void(i8, i8, f4[:, ::1], f4[::1], f4[:, ::1], f4[:, ::1])")
def squared_relu_backward(first, last, x, bias, grad, out):
    """Backward of `squared_relu`, in place in `grad` as in `gelu_backward`."""
    for row in range(first, last):
        line, up, result = x[row], grad[row], out[row]
        for unit in range(line.size):
            v = line[unit] + bias[unit]
            v = _f4(0) if v < _f4(0) else v
            result[unit] = v * v
            up[unit] *= v + v


class ActivationKernels(NamedTuple):
    """The two kernels of an activation."""

    forward: Callable[..., Any]
    """(first, last, x, bias, out)"""
    backward: Callable[..., Any]
    """(first, last, x, bias, grad, out)"""


ACTIVATION_KERNELS: Mapping[str, ActivationKernels] = {
    "gelu": ActivationKernels(gelu, gelu_backward),
    "gelu_exact": ActivationKernels(gelu_exact, gelu_exact_backward),
    "relu2": ActivationKernels(squared_relu, squared_relu_backward),
}
"""By `model.activation`: those that have kernels."""
