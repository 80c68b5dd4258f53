"""The source files of the packages, and what each imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "trainer", "analysis", "sweep")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@cache
def nodes(path: Path) -> list[ast.AST]:
    """The syntax of a file; several tests look at each file."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> list[str]:
    """Every module that a file imports, at its top, in a function, or for types alone."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from modules(absolute(node, path), [alias.name for alias in node.names])


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """The module that a statement imports from: `analysis.digits` for `..digits`."""
    above = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
    return ".".join([*above, *([node.module] if node.module else [])])


def modules(module: str, names: list[str]) -> Iterator[str]:
    """`from trainer import loop` imports `trainer.training.loop`, `from trainer.training.loop import train` too."""
    below = [f"{module}.{name}" for name in names]
    found = [each for each in below if is_module(each)]
    yield from found
    if len(found) < len(below):
        yield module


@cache
def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def ours(path: Path) -> set[str]:
    return {module for module in imports(path) if module.partition(".")[0] in PACKAGES}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))
