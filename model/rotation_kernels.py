"""The kernel of rotary position embeddings (see model.kernels)."""

from __future__ import annotations

import numpy as np

from model.compiled import compile_loop

_f4 = np.float32


@compile_loop("void(i8, i8, f4[:, ::1], f4[:, ::1], f4[:, ::1], i8, i8, f4, f4[:, ::1])")
def rotate(first, last, x, cosines, sines, groups, channels, sign, out):
    """Let out = x (row, channel) with pairs of channels rotated in its first `groups` groups.

    Rows are the positions of one sequence after the other; `cosines` and `sines` are (position, pair),
    and a `sign` of -1 rotates back. All other channels are copied.
    """
    positions, pairs = cosines.shape
    for row in range(first, last):
        line, result = x[row], out[row]
        cosine, sine = cosines[row % positions], sines[row % positions]
        for unit in range(line.size):
            result[unit] = line[unit]
        for group in range(groups):
            begin = group * channels
            for pair in range(pairs):
                one, other = line[begin + pair], line[begin + pairs + pair]
                turn = sign * sine[pair]
                result[begin + pair] = one * cosine[pair] - other * turn
                result[begin + pairs + pair] = other * cosine[pair] + one * turn
