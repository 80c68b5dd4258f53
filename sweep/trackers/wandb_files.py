"""The files of W&B's offline mode, read to learn which points a killed command has left in them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from sweep.trackers.base import NO_STEP

FILE_HEADER = 7
"""Bytes before the first block of records."""
BLOCK = 2**15
HEADER = struct.Struct("<IHB")
"""Of a part of a record: checksum, length and kind."""
LAST_KINDS = frozenset({1, 4})
"""A whole record, and the last part of one."""


def offline_step(folder: Path, key: str) -> int:
    """The last step that the offline files of a run have; `NO_STEP` if there are none."""
    files = folder.glob(f"wandb/offline-run-*-{key}/run-{key}.wandb")
    return max((_last_step(file) for file in files), default=NO_STEP)


def _last_step(file: Path) -> int:
    from wandb.proto.wandb_internal_pb2 import Record

    records = (Record.FromString(data) for data in read_records(file.read_bytes()))
    steps = [
        record.history.step.num
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    return max(steps, default=NO_STEP)


def read_records(data: bytes) -> Iterator[bytes]:
    """The whole records of a file: a log of LevelDB (doc/log_format.md of that project)."""
    at, parts = FILE_HEADER, b""
    while at + HEADER.size <= len(data):
        room = BLOCK - at % BLOCK
        if room < HEADER.size:
            at += room
            continue
        _, length, kind = HEADER.unpack_from(data, at)
        end = at + HEADER.size + length
        if kind == 0 or end > len(data):  # the writer was killed here
            return
        parts += data[at + HEADER.size : end]
        at = end
        if kind in LAST_KINDS:
            yield parts
            parts = b""
