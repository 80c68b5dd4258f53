"""Standard output and error that survive the loss of their reader: `sweep run | head -1`."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

LOST = frozenset({errno.EPIPE, errno.EIO, errno.ENXIO})
"""Error numbers of a pipe without a reader, and of a terminal that is gone."""


class LastingFile(io.FileIO):
    """A descriptor that becomes /dev/null when its pipe or terminal is gone.

    Training must not end because its progress is no longer read.
    """

    def write(self, data: Buffer, /) -> int:
        """Write as `io.FileIO` does; output that has no reader any more is dropped."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in LOST or stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                raise
        drop_output(self.fileno())
        return super().write(data)


def drop_output(descriptor: int) -> None:
    """Let a descriptor write to /dev/null, also what is buffered above it."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def make_output_last() -> None:
    """Replace `sys.stdout` and `sys.stderr`, unless they are closed or a test's.

    A character that the terminal lacks, such as a minus sign, is shown as "?".
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout is sys.__stdout__:
        sys.stdout = _lasting(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper) and sys.stderr is sys.__stderr__:
        sys.stderr = _lasting(sys.stderr)


def _lasting(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    file = LastingFile(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
    )
