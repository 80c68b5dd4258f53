"""CPU kernels compiled by numba: one pass over memory where torch makes many.

A small model spends more time between its matrix products than in them, mostly on memory traffic;
random masks cost the most (docs/decisions/0003). Each kernel reads its float32 inputs once, from
contiguous arrays, and computes rows [first, last), so that threads can share the rows. Kernels are
compiled when this module is first imported on a machine, then cached on disk.

The masks come from Philox4x32-7 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3",
SC11, table 2), a pure function of a counter and a key. A counter is (block, sequence, site, step)
and gives four words of 32 bits, that is eight random numbers of 16 bits. Word w of block j is
stored at w * blocks + j, the fastest order for vector units.
"""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.compiled import compile_loop

ROUNDS: Final = 7
"""Philox rounds: the fewest that pass BigCrush."""
MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
"""Philox's multipliers."""
WEYL: Final = (0x9E3779B9, 0xBB67AE85)
"""Added to the two words of the key after each round."""
UNITS_PER_BLOCK: Final = 8
"""Units that one counter decides, with 16 random bits each."""

LEVELS: Final = 2**16
"""Number of values of 16 random bits. A unit is dropped if its value is below rate * LEVELS, so
rates are exact to 2e-5."""


_inlined = functools.partial(compile_loop, inline="always")

_f4 = np.float32
_u4 = np.uint32
_M0, _M1 = (np.uint64(m) for m in MULTIPLIERS)
_W0, _W1 = (np.uint32(w) for w in WEYL)
_HIGH = np.uint64(32)
_BLOCK = UNITS_PER_BLOCK


class Mask(NamedTuple):
    """The last arguments of a kernel with dropout: which random numbers to use, and how."""

    sequence: int
    """Index in the batch of the first sequence (row)."""
    place: NDArray[np.uint32]
    """(site, step, key, key): the two counter words that all units share, and the key."""
    dropped: np.uint32
    """A unit is dropped if its 16 random bits are below this."""
    scale: np.float32
    """Kept units are multiplied by this: 1 / P(kept)."""


NO_STARTS: Final = np.zeros((0, 0), np.int64)
"""The `starts` of `softmax` where every query attends to all keys."""
SUMMED_TOGETHER: Final = 64
"""Keys that are summed in one piece at most, by vector units. Rows are cut where a piece begins, so
that the keys before it, whose terms are zero, change no bit of the sum of the others."""

NO_MASK = Mask(0, np.zeros(4, np.uint32), np.uint32(0), np.float32(1))


@_inlined()
def exp(x):
    """e^x to 2e-7, with x clipped to +-60: 2^n e^r with |r| <= ln(2) / 2, by Cephes' expf polynomial."""
    # Clipping avoids denormal numbers, which are slow. NaN stays NaN.
    x = _f4(-60.0) if x < _f4(-60.0) else x
    x = _f4(60.0) if x > _f4(60.0) else x
    n = np.floor(x * _f4(1.44269504088896341) + _f4(0.5))
    r = x - n * _f4(0.693359375)
    r = r + n * _f4(2.12194440e-4)
    p = _f4(1.9875691500e-4)
    p = p * r + _f4(1.3981999507e-3)
    p = p * r + _f4(8.3334519073e-3)
    p = p * r + _f4(4.1665795894e-2)
    p = p * r + _f4(1.6666665459e-1)
    p = p * r + _f4(5.0000001201e-1)
    p = p * r * r + r + _f4(1.0)
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@compile_loop("void(u4[::1], u4[::1], u4[::1], u4[::1], u4, u4, u4, u4, u4)")
def _blocks(words0, words1, words2, words3, sequence, site, step, key0, key1):
    """Philox: fill the four arrays with words 0, 1, 2 and 3 of every block."""
    for block in range(words0.size):
        x0, x1, x2, x3 = _u4(block), sequence, site, step
        k0, k1 = key0, key1
        for _ in range(ROUNDS):
            p0, p1 = np.uint64(x0) * _M0, np.uint64(x2) * _M1
            x0, x2 = _u4(p1 >> _HIGH) ^ x1 ^ k0, _u4(p0 >> _HIGH) ^ x3 ^ k1
            x1, x3 = _u4(p1), _u4(p0)
            k0, k1 = _u4(k0 + _W0), _u4(k1 + _W1)
        words0[block], words1[block], words2[block], words3[block] = x0, x1, x2, x3


@_inlined()
def _philox(words, sequence, place):
    """Fill `words` with the random words of one sequence; `place` as in `Mask`."""
    n = words.size >> 2
    _blocks(
        words[:n],
        words[n : 2 * n],
        words[2 * n : 3 * n],
        words[3 * n :],
        _u4(sequence),
        place[0],
        place[1],
        place[2],
        place[3],
    )


@_inlined()
def _largest(row):
    """The maximum of a row. Compares integers: the compiler vectorises no maximum of floats."""
    bits = row.view(np.int32)
    largest = np.int32(-(2**31))
    for i in range(bits.size):
        ordered = bits[i] ^ ((bits[i] >> np.int32(31)) & np.int32(2**31 - 1))
        largest = max(largest, ordered)
    largest ^= (largest >> np.int32(31)) & np.int32(2**31 - 1)
    return np.int32(largest).view(np.float32)


@_inlined()
def _scratch(units):
    """An array for the random words of `units` units: whole blocks of four words."""
    return np.empty(-(-units // _BLOCK) * (_BLOCK // 2), dtype=np.uint32)


@compile_loop("void(i8, i8, f4[:, ::1], i8, u4[::1], u4, f4)")
def keep_mask(first, last, mask, sequence, place, dropped, scale):
    """Fill `mask` (sequence, unit): 0 where a unit is dropped, `scale` elsewhere."""
    units = mask.shape[1]
    words = _scratch(units)
    for row in range(first, last):
        _philox(words, sequence + row, place)
        bits = words.view(np.uint16)
        for unit in range(units):
            mask[row, unit] = scale if bits[unit] >= dropped else _f4(0)


@compile_loop("void(i8, i8, f4[:, ::1], f4[:, ::1], f4[:, ::1], i8, u4[::1], u4, f4)")
def add_dropped(first, last, x, branch, out, sequence, place, dropped, scale):
    """Let out = x + branch * mask, all (sequence, unit)."""
    units = x.shape[1]
    words = _scratch(units)
    for row in range(first, last):
        _philox(words, sequence + row, place)
        bits = words.view(np.uint16)
        for unit in range(units):
            kept = scale if bits[unit] >= dropped else _f4(0)
            out[row, unit] = x[row, unit] + branch[row, unit] * kept


@compile_loop("void(i8, i8, f4[:, ::1], f4[:, ::1], i8, u4[::1], u4, f4)")
def drop(first, last, x, out, sequence, place, dropped, scale):
    """Let out = x * mask, all (sequence, unit)."""
    units = x.shape[1]
    words = _scratch(units)
    for row in range(first, last):
        _philox(words, sequence + row, place)
        bits = words.view(np.uint16)
        for unit in range(units):
            out[row, unit] = x[row, unit] * (scale if bits[unit] >= dropped else _f4(0))


@_inlined()
def _softmax_row(row, out, low, high, factor, bits, dropped, scale):
    """`softmax` of one row, over its keys [low, high); `bits` are random."""
    largest = _largest(row[low:high])
    total = _f4(0)
    for key in range(row.size):  # masked keys too: a loop of fixed length is faster
        e = exp((row[key] - largest) * factor)
        e = e if low <= np.int32(key) < high else _f4(0)
        row[key] = e
        total += e
    share = _f4(1) / total
    if dropped:
        for key in range(row.size):
            p = row[key] * share
            keep = bits[key] >= dropped
            row[key] = p if keep else -p
            out[key] = p * scale if keep else _f4(0)
    else:
        for key in range(row.size):
            row[key] *= share
            out[key] = row[key]


@compile_loop(
    "void(i8, i8, f4[:, :, ::1], f4[:, :, ::1], i8, i8, i8[:, ::1], f4, i8, u4[::1], u4, f4)"
)
def softmax(
    first, last, scores, kept, rows, skipped, starts, factor, sequence, place, dropped, scale
):
    """Causal softmax of factor * scores (sequence, head x rows, keys), in place, with dropout.

    `starts` (sequence, position) is the first key of each query, or empty for key 0. The `rows` queries
    are at the last positions. `scores` lacks the first `skipped` keys, which they do not see; masks do
    not. It becomes the probabilities, with a negative sign if dropped; `kept` those after dropout.
    """
    lines, keys = scores.shape[1:]
    whole = skipped + keys
    words = _scratch(lines * whole)
    for s in range(first, last):
        if dropped:
            _philox(words, sequence + s, place)
        bits = words.view(np.uint16)
        for line in range(lines):
            query = keys - rows + line % rows
            begin = starts[s, skipped + query] - skipped if starts.size else 0
            edge = begin & -SUMMED_TOGETHER
            low, high = np.int32(begin - edge), np.int32(query - edge + 1)
            row, out = scores[s, line], kept[s, line]
            own = bits[line * whole + skipped + edge :] if dropped else bits
            if edge == 0:
                _softmax_row(row, out, low, high, factor, own, dropped, scale)
            else:
                row[:edge] = out[:edge] = 0
                row, out = row[edge:], out[edge:]
                _softmax_row(row, out, low, high, factor, own, dropped, scale)


@compile_loop("void(i8, i8, f4[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1], f4[:, ::1], f4, f4)")
def softmax_backward(first, last, signed, grad, kept, delta, factor, scale):
    """Backward of `softmax`: the gradient of `kept` becomes that of the scores, in place in `grad`.

    `signed` is what it has left in `scores`; `delta` (sequence, head x rows) is the sum over
    keys of kept * grad. `kept` is computed again and written.
    """
    lines, keys = signed.shape[1:]
    for s in range(first, last):
        for line in range(lines):
            p, g, out = signed[s, line], grad[s, line], kept[s, line]
            d = delta[s, line]
            for key in range(keys):
                mask = scale if p[key] > 0 else _f4(0)
                out[key] = p[key] * mask
                g[key] = abs(p[key]) * (g[key] * mask - d) * factor


@compile_loop("void(i8, i8, f4[:, ::1], i8[::1], f4[::1], f4)")
def cross_entropy(first, last, logits, targets, losses, weight):
    """Let losses = -log softmax(logits)[target]; replace the logits by weight * their gradient."""
    for row in range(first, last):
        line, target = logits[row], targets[row]
        largest = _largest(line)
        chosen = line[target] - largest
        total = _f4(0)
        for unit in range(line.size):
            line[unit] = exp(line[unit] - largest)
            total += line[unit]
        losses[row] = np.log(total) - chosen
        share = weight / total
        for unit in range(line.size):
            line[unit] *= share
        line[target] -= weight
