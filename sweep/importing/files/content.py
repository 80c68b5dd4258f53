"""The content of a file, unpacked; a compressed file is recognised by its first bytes."""

from __future__ import annotations

import lzma
import stat
from pathlib import Path

from sweep.errors import ResultsError
from sweep.terminal.printable import shown
from sweep.terminal.units import shown_size
from trainer.sources.compression import BLOCK, Compression, compression_of

MAX_FILE = 2 << 30
"""Bytes of a file."""
MAX_UNPACKED = 256 << 20
"""Bytes that a compressed file may have when it is unpacked: a small one can hold terabytes."""


def read_content(path: Path) -> bytes:
    """Return the bytes of a file, unpacked. Raises ResultsError if it cannot be read."""
    try:
        _check_regular(path)
        compression = compression_of(path)
        return _unpack(path, compression) if compression else path.read_bytes()
    except FileNotFoundError as error:
        raise ResultsError(f"{path} does not exist; name a file of results") from error
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {_reason(error)}") from error


def _check_regular(path: Path) -> None:
    """Raise ResultsError for a pipe or a device, which may never end, and for a huge file."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ResultsError(
            f"{path} is not a regular file; save its output to a file and import that"
        )
    if status.st_size > MAX_FILE:
        raise ResultsError(
            f"{path} has {shown_size(status.st_size)}, and at most {shown_size(MAX_FILE)} are read; keep "
            "only the columns and the steps that you need"
        )


def _unpack(path: Path, compression: Compression) -> bytes:
    parts, size = [], 0
    try:
        with compression.open(path) as stream:
            while block := stream.read(BLOCK):
                parts.append(block)
                size += len(block)
                if size > MAX_UNPACKED:
                    raise ResultsError(
                        f"{path} has more than {shown_size(MAX_UNPACKED)} when it is unpacked; "
                        "unpack it yourself and import the unpacked file"
                    )
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise ResultsError(
            f"{path} is compressed and cannot be unpacked: {shown(str(error))}; copy it again"
        ) from error
    return b"".join(parts)


def _reason(error: OSError) -> str:
    return error.strerror or shown(str(error))
