"""Find the local modules that a script imports, by their text; nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

MAX_FILES = 200
"""Files among which imports are followed."""
MAX_BYTES = 2_000_000
"""Largest file that is read."""
_SOURCE_NAME = re.compile(r"[\w./-]+\.py")


def parse(path: Path) -> ast.Module | None:
    """The syntax of a Python file; None if it cannot be read."""
    try:
        if path.suffix != ".py" or path.stat().st_size > MAX_BYTES:
            return None
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def local_files(script: Path, folder: Path) -> list[Path]:
    """The script and the files in `folder` that it imports or names, directly or not."""
    found = [script]
    for path in found:
        if len(found) < MAX_FILES:
            used = _used_by(path, _version(path), (script.parent, folder))
            new = [each for each in used if each.is_relative_to(folder)]
            found.extend(dict.fromkeys(each for each in new if each not in found))
    return found


def imported_names(path: Path) -> set[str]:
    """The dotted names that a file imports, those of `from x import y` as `x` and `x.y`."""
    tree, found = parse(path), set[str]()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def file_of_module(name: str, roots: Sequence[Path]) -> Path | None:
    """The file of a module of that name in one of the folders."""
    for root in roots:
        path = root.joinpath(*name.split("."))
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None


def _version(path: Path) -> tuple[int, int]:
    """Time and size of a file, by which a change is seen."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1000)
def _used_by(path: Path, _version: tuple[int, int], roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """Files that a file uses; one that has not changed is read once."""
    tree = parse(path)
    return tuple(dict.fromkeys(_used(tree, path, roots))) if tree else ()


def _used(tree: ast.Module, path: Path, roots: Sequence[Path]) -> Iterator[Path]:
    """Files that the statements of a module import, and Python files that its strings name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _packages(alias.name, roots)
        elif isinstance(node, ast.ImportFrom):
            base = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else roots
            names = [node.module] if node.module else []
            for alias in node.names:
                yield from _packages(".".join([*names, alias.name]), base)
        elif isinstance(node, ast.Constant) and _is_source_name(node.value):
            named = [(root / str(node.value)).resolve() for root in roots]
            yield from (each for each in named if each.is_file())


def _is_source_name(value: object) -> bool:
    return isinstance(value, str) and _SOURCE_NAME.fullmatch(value) is not None


def _packages(name: str, roots: Sequence[Path]) -> Iterator[Path]:
    """The files of a module and of the packages that it is in."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        if found := file_of_module(".".join(parts[:length]), roots):
            yield found
