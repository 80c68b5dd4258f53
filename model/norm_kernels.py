"""Kernels of LayerNorm and RMSNorm (see model.kernels)."""

from __future__ import annotations

from typing import Final

import numpy as np

from model.compiled import compile_loop

ROWS_PER_BLOCK: Final = 256
"""Rows per partial sum of the weight's gradient; fixed, so that threads do not change the sum."""
_f4 = np.float32


@compile_loop("void(i8, i8, f4[:, ::1], f4[::1], f4[::1], f4[:, ::1], f4[::1], f4)")
def layer_norm(first, last, x, weight, bias, out, scales, epsilon):
    """Let out = (x - mean) * scale * weight + bias; `scales` gets scale = 1 / sd of each row."""
    for row in range(first, last):
        line, result = x[row], out[row]
        total = _f4(0)
        for unit in range(line.size):
            total += line[unit]
        mean = total / _f4(line.size)
        total = _f4(0)
        for unit in range(line.size):
            result[unit] = line[unit] - mean
            total += result[unit] * result[unit]
        scale = _f4(1) / np.sqrt(total / _f4(line.size) + epsilon)
        scales[row] = scale
        for unit in range(line.size):
            result[unit] = result[unit] * scale * weight[unit] + bias[unit]


@compile_loop("void(i8, i8, f4[:, ::1], f4[::1], f4[::1], f4[:, ::1], f4[:, ::1], f4[:, :, ::1])")
def layer_norm_backward(first, last, x, weight, scales, grad, out, sums):
    """Let out = the gradient of x; `sums` gets those of weight and bias, per block of rows."""
    width = x.shape[1]
    for block in range(first, last):
        of_weight, of_bias = sums[block, 0], sums[block, 1]
        of_weight[:] = 0
        of_bias[:] = 0
        for row in range(block * ROWS_PER_BLOCK, min((block + 1) * ROWS_PER_BLOCK, x.shape[0])):
            line, up, result, scale = x[row], grad[row], out[row], scales[row]
            total, along = _f4(0), _f4(0)
            for unit in range(width):
                total += line[unit]
            mean = total / _f4(width)
            total = _f4(0)
            for unit in range(width):
                normal = (line[unit] - mean) * scale
                g = up[unit] * weight[unit]
                of_weight[unit] += up[unit] * normal
                of_bias[unit] += up[unit]
                total += g
                along += g * normal
            total /= _f4(width)
            along /= _f4(width)
            for unit in range(width):
                normal = (line[unit] - mean) * scale
                result[unit] = (up[unit] * weight[unit] - total - normal * along) * scale


@compile_loop("void(i8, i8, f4[:, ::1], f4[:, ::1], i8[::1], f4[:, ::1], f4[:, ::1], f4)")
def rms_norm(first, last, x, weights, kinds, out, scales, epsilon):
    """Let out = x * scale * weights[kind] in each group of channels, where `kinds` has the group's kind.

    `scales` (row, group) gets scale = 1 / sqrt(mean(x^2) + epsilon). Channels after the last group
    are copied.
    """
    channels = weights.shape[1]
    for row in range(first, last):
        for group in range(kinds.size):
            begin, end = group * channels, (group + 1) * channels
            line, result, weight = x[row, begin:end], out[row, begin:end], weights[kinds[group]]
            total = _f4(0)
            for unit in range(channels):
                total += line[unit] * line[unit]
            scale = _f4(1) / np.sqrt(total / _f4(channels) + epsilon)
            scales[row, group] = scale
            for unit in range(channels):
                result[unit] = line[unit] * scale * weight[unit]
        for unit in range(kinds.size * channels, x.shape[1]):
            out[row, unit] = x[row, unit]


@compile_loop(
    "void(i8, i8, f4[:, ::1], f4[:, ::1], i8[::1], f4[:, ::1], f4[:, ::1], f4[:, ::1], f4[:, :, ::1])"
)
def rms_norm_backward(first, last, x, weights, kinds, scales, grad, out, sums):
    """Let out = the gradient of x; `sums` gets those of the weights, per block of rows."""
    channels = weights.shape[1]
    for block in range(first, last):
        sums[block] = _f4(0)
        for row in range(block * ROWS_PER_BLOCK, min((block + 1) * ROWS_PER_BLOCK, x.shape[0])):
            for group in range(kinds.size):
                begin, end = group * channels, (group + 1) * channels
                line, up, result = x[row, begin:end], grad[row, begin:end], out[row, begin:end]
                weight, of_weight = weights[kinds[group]], sums[block, kinds[group]]
                scale, along = scales[row, group], _f4(0)
                for unit in range(channels):
                    along += up[unit] * weight[unit] * line[unit]
                along *= scale * scale / _f4(channels)
                for unit in range(channels):
                    of_weight[unit] += up[unit] * line[unit] * scale
                    result[unit] = (up[unit] * weight[unit] - line[unit] * along) * scale
            for unit in range(kinds.size * channels, x.shape[1]):
                out[row, unit] = grad[row, unit]
