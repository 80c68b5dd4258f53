"""The files of a script, which belong to the fingerprint of its runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from sweep.errors import StudyError, did_you_mean
from sweep.study.local_modules import file_of_module, local_files
from sweep.study.trainer_section import ScriptTrainer
from sweep.terminal.printable import shown

MAX_FILES = 10_000
"""Files that the patterns of one study may match."""
MAX_BYTES = 1_000_000_000
"""Bytes of one of them: data is no code."""


def find_code(settings: ScriptTrainer, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a script, by its path relative to `folder`.

    Raises StudyError if a pattern of `trainer.code` matches nothing, or a file cannot be read.
    """
    if settings.code is None:
        named = [path for path in _named(settings, folder) if path.is_file()]
        paths = {each for path in named for each in local_files(path, folder)}
    else:
        paths = {path for pattern in settings.code for path in _matches(pattern, folder)}
    if len(paths) > MAX_FILES:
        raise StudyError(
            f"'trainer.code' matches {len(paths):,} files, and at most {MAX_FILES:,} are allowed; "
            "name the folders that hold code"
        )
    return {_relative(path, folder): _hash_of(path) for path in sorted(paths)}


def _named(settings: ScriptTrainer, folder: Path) -> Iterator[Path]:
    """Yield the files that a command or a function names; those of a command need not exist."""
    if settings.function is not None:
        yield from _module(settings.function.partition(":")[0], folder)
        return
    command = settings.command or []
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word == "-m":
            yield from _module(following, folder)
        elif not word.startswith("-") and "{" not in word and len(word) < 1000:
            yield folder / word


def _module(name: str, folder: Path) -> Iterator[Path]:
    found = file_of_module(name, [folder])
    if found is not None:
        yield found


def _matches(pattern: str, folder: Path) -> list[Path]:
    """Return the files of a pattern. Raises StudyError if there are none."""
    try:
        found = [path for path in _glob(pattern, folder) if path.is_file()]
    except (ValueError, OSError, NotImplementedError) as error:
        raise StudyError(f"'trainer.code' has {shown(pattern)}: {error}") from error
    if not found:
        there = sorted(path.name for path in folder.glob("*.py"))
        raise StudyError(
            f"'trainer.code' has {shown(pattern)}, which matches no file in {folder}"
            f"{did_you_mean(pattern, there)}"
        )
    return found


def _glob(pattern: str, folder: Path) -> Iterator[Path]:
    path = Path(pattern)
    if path.is_absolute():
        return Path(path.anchor).glob(str(path.relative_to(path.anchor)))
    if ".." in path.parts:  # glob follows no `..` behind a wildcard
        return iter([folder / path])
    return folder.glob(pattern)


def _relative(path: Path, folder: Path) -> str:
    """Return a path relative to the folder if it is inside, so that the folder can be moved."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _hash_of(path: Path) -> str:
    try:
        status = path.stat()
        if status.st_size > MAX_BYTES:
            raise StudyError(
                f"'trainer.code' names {path}, which is larger than {MAX_BYTES:,} bytes"
            )
        return _hash(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise StudyError(f"'trainer.code' names {path}: {error.strerror}") from error


@lru_cache(maxsize=1000)
def _hash(path: Path, _changed: int, _size: int) -> str:
    """Return the hash of a file's content; a file that has not changed is read once."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def mentions(word: bytes, code: Iterable[Path]) -> bool:
    """True if a file of a script has a word, such as the name of a variable that it reads."""
    return any(word in path.read_bytes() for path in code)
