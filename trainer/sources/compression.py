"""Compressed files: gzip, bzip2, xz, zstd and lz4, known by their first bytes."""

from __future__ import annotations

import contextlib
import lzma
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from trainer.errors import CorpusError
from trainer.sources.text_errors import unreadable

BLOCK = 2**20
"""Bytes that are decompressed at once."""


class Compression(NamedTuple):
    """A way to compress a file."""

    name: str
    suffixes: tuple[str, ...]
    beginning: re.Pattern[bytes]
    """The first bytes of such a file. No text in UTF-8 begins with them."""
    open: Callable[[Path], Any]
    """Open a file to read its content."""


def _with_arrow(codec: str) -> Callable[[Path], Any]:
    def opened(path: Path) -> Any:  # noqa: ANN401  (pyarrow has no types)
        import pyarrow as pa

        return pa.CompressedInputStream(pa.OSFile(str(path)), codec)

    return opened


COMPRESSIONS = (
    Compression("gzip", (".gz",), re.compile(rb"\x1f\x8b"), _with_arrow("gzip")),
    Compression("bzip2", (".bz2",), re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), _with_arrow("bz2")),
    Compression("xz", (".xz",), re.compile(rb"\xfd7zXZ\x00"), lzma.open),
    # The second beginning is that of a skippable frame, which pzstd writes.
    Compression("zstd", (".zst", ".zstd"), re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _with_arrow("zstd")),
    Compression("lz4", (".lz4",), re.compile(rb"\x04\x22\x4d\x18"), _with_arrow("lz4")),
)  # fmt: skip
_LONGEST_BEGINNING = 10
SUFFIXES = tuple(suffix for compression in COMPRESSIONS for suffix in compression.suffixes)


def compression_of(path: Path) -> Compression | None:
    """How a file is compressed, by its content; None for a file that is not. Raises OSError."""
    with path.open("rb") as file:
        beginning = file.read(_LONGEST_BEGINNING)
    return next((each for each in COMPRESSIONS if each.beginning.match(beginning)), None)


def without_compression(name: str) -> str:
    """A file's name without a suffix such as `.gz`."""
    suffix = next((each for each in SUFFIXES if name.lower().endswith(each)), "")
    return name[: len(name) - len(suffix)]


def decompressed(path: Path, compression: Compression) -> Iterator[bytes]:
    """The content of a compressed file in blocks. Raises CorpusError if it is damaged."""
    with _whole(path, compression), compression.open(path) as stream:
        while block := stream.read(BLOCK):
            yield block


@contextlib.contextmanager
def _whole(path: Path, compression: Compression) -> Iterator[None]:
    """Raise CorpusError if a file is truncated or damaged."""
    try:
        yield
    except (OSError, EOFError, lzma.LZMAError) as error:
        if isinstance(error, OSError) and error.errno:
            raise unreadable(path, error) from error
        raise CorpusError(
            f"{path} is compressed with {compression.name} and cannot be decompressed ({error}); if it "
            "is truncated or damaged, copy or download it again"
        ) from error
