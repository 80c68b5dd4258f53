"""Small disks, to be filled."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = 4096
"""Bytes that such a disk gives at once."""


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of so many bytes in a folder. Skips the test where none can be mounted."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("a small disk to fill cannot be mounted here; it takes root")
    try:
        yield folder
    finally:
        # Lazily: when a test fails, the commands that it started may still be at work there.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_disk(disk: Path, *, leave: int) -> Path:
    """Leave room for so many bytes; the file that takes the rest."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", 0) as file:
        while file.write(bytes(PAGE)):
            pass
    os.truncate(filler, filler.stat().st_size - leave)
    return filler
