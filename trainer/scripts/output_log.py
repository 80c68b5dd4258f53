"""The log of a run, which is cut in the middle when it grows too long."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

from trainer.files import FULL

HEAD_BYTES = 8 * 2**20
TAIL_BYTES = 8 * 2**20
LONG_LINE = 65_536
"""Bytes of a line that is cut within; shorter ones are kept or cut as a whole."""
LAST_LINES = 3
"""Lines at the end of the output that a failure's message shows."""
LATEST_BYTES = 65_536
"""Bytes of output in which those lines are searched."""
LINE_CHARACTERS = 200
"""Characters of such a line."""


class Output:
    """Appends output to an open file, and knows its last lines."""

    def __init__(self, file: int) -> None:
        """`file`: a descriptor, which `close` closes."""
        self._file = file
        self._latest = deque[bytes]()
        self._latest_bytes = 0
        self.disk_full = False
        """True if output was lost because the disk is full."""

    def write(self, output: bytes) -> None:
        """Append output; what a full disk does not take is lost."""
        self._keep(output[-LATEST_BYTES:])
        try:
            while output:
                output = output[os.write(self._file, output) :]
        except OSError as error:
            if error.errno not in FULL:
                raise
            self.disk_full = True

    def say(self, sentence: str) -> None:
        """Append a line of our own, on a line of its own."""
        latest = self._latest[-1] if self._latest else b"\n"
        start = "" if latest.endswith(b"\n") else "\n"
        self.write(f"{start}{sentence}\n".encode(errors="replace"))

    def last_lines(self) -> list[str]:
        """The last lines with text, in printable characters."""
        text = b"".join(self._latest).decode(errors="replace")
        lines = ["".join(c if c.isprintable() else " " for c in line) for line in text.splitlines()]
        return [line.strip()[:LINE_CHARACTERS] for line in lines if line.strip()][-LAST_LINES:]

    def close(self) -> None:
        os.close(self._file)

    def _keep(self, block: bytes) -> None:
        """Keep the latest blocks: a script may write each line as a block of its own."""
        self._latest.append(block)
        self._latest_bytes += len(block)
        while self._latest_bytes - len(self._latest[0]) >= LATEST_BYTES:
            self._latest_bytes -= len(self._latest.popleft())


class OutputLog(Output):
    """Appends output to `log.txt`, as other nodes of the run may, and keeps its first and last megabytes."""

    def __init__(self, path: Path, head: int = HEAD_BYTES, tail: int = TAIL_BYTES) -> None:
        super().__init__(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666))
        self._path = path
        self._head, self._tail = head, tail
        self._cut = 0
        """Bytes cut so far."""
        self._start = self._marker = 0
        """Where the line about them begins, and its length; 0 until there is one."""
        self._line_start = b""

    def write(self, output: bytes) -> None:
        super().write(output)
        size = os.fstat(self._file).st_size
        if size > self._head + 2 * self._tail:
            self._cut_middle(size)

    def _cut_middle(self, size: int) -> None:
        """Move the last bytes behind the first ones; a line between them says what was cut."""
        # Where a file is opened to append, Linux appends whatever place a write names: pwrite(2).
        file = os.open(self._path, os.O_RDWR)
        try:
            kept = os.pread(file, self._tail, size - self._tail)
            kept = kept[kept.find(b"\n", 0, LONG_LINE) + 1 :]
            if not self._marker:
                first = os.pread(file, self._head, 0)
                end = first.rfind(b"\n", len(first) - LONG_LINE) + 1
                self._start = end or len(first)
                self._line_start = b"" if end else b"\n"
            self._cut += size - self._start - len(kept) - self._marker
            line = self._line_start + f"[{self._cut:,} bytes of output were cut here]\n".encode()
            with contextlib.suppress(OSError):  # it was longer before, so the disk has room
                os.pwrite(file, line + kept, self._start)
                os.ftruncate(file, self._start + len(line) + len(kept))
            self._marker = len(line)
        finally:
            os.close(file)
