"""Our packages as an archive, for nodes that share no disk with the scheduler."""

from __future__ import annotations

import functools
import io
import zipfile
from hashlib import sha256

from sweep.bootstrap import FOLDERS

SUFFIXES = {".py", ".toml"}


@functools.cache
def our_packages() -> tuple[str, bytes]:
    """The SHA-256 of an archive with our packages, and the archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, folder in FOLDERS.items():
            for path in sorted((folder / name).rglob("*")):
                if path.suffix in SUFFIXES:
                    entry = zipfile.ZipInfo(str(path.relative_to(folder)))  # without its time
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    content = buffer.getvalue()
    return sha256(content).hexdigest(), content
