"""A keyed pseudo-random permutation whose memory does not depend on its size."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
"""Feistel rounds: four give a pseudo-random permutation (Luby and Rackoff 1988), plus two."""

Indices = NDArray[np.uint64]


def permute(slots: Indices, size: int, key: str) -> Indices:
    """Apply a keyed pseudo-random permutation of range(size) to each of `slots`.

    A Feistel network on the smallest power of four that is at least `size`, repeated until the
    result is in the range: cycle walking (Black and Rogaway 2002, "Ciphers with arbitrary finite
    domains", method 2). Memory does not depend on the size.
    """
    half = np.uint64(((size - 1).bit_length() + 1) // 2)
    digest = hashlib.sha256(key.encode()).digest()
    keys = np.frombuffer(digest, dtype=np.uint32)[:ROUNDS].astype(np.uint64)
    result = _feistel(slots, half, keys)
    while (outside := result >= size).any():
        result[outside] = _feistel(result[outside], half, keys)
    return result


def _feistel(numbers: Indices, half: np.uint64, keys: Indices) -> Indices:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = numbers >> half, numbers & mask
    for key in keys:
        left, right = right, left ^ (_scramble(right, key) & mask)
    return (left << half) | right


def _scramble(numbers: Indices, key: np.uint64) -> Indices:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014, OOPSLA), with a key."""
    mixed = (numbers + (key << np.uint64(32)) + key) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
