"""Check a user's function by the text of its module, before anything runs; nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from sweep.errors import did_you_mean
from sweep.study.local_modules import file_of_module
from sweep.terminal.printable import shown

CALL = "(parameters, seed, run_dir, report)"
ARGUMENTS = 4
"""Number of arguments that a function is called with."""


def why_no_function(function: str, folder: Path) -> str | None:
    """The reason why `package.module:train` cannot be called; None as far as its text tells."""
    module, _, name = function.partition(":")
    file = file_of_module(module, [folder])
    tree = _parsed(file) if file else None
    if tree is None or isinstance(tree, str):
        return tree
    defined = dict(_defined(tree.body))
    first = name.partition(".")[0]
    if first not in defined and not defined.keys() & {"*", "__getattr__"}:
        near = did_you_mean(first, [each for each in defined if not each.startswith("_")])
        return f"{file} has no function {shown(name)}{near}"
    found = defined.get(name)
    if isinstance(found, ast.FunctionDef) and not found.decorator_list and not _fits(found.args):
        return (
            f"{file}, line {found.lineno}: {name}({ast.unparse(found.args)}) is called as "
            f"{name}{CALL}; give it these parameters"
        )
    return None


def _parsed(file: Path) -> ast.Module | str | None:
    """The tree of a file, or the mistake in it; None if it cannot be read."""
    try:
        content = file.read_bytes()
        if b"\0" in content:  # an error of another kind before Python 3.11.4
            return f"{file}: source code string cannot contain null bytes"
        return ast.parse(content)
    except SyntaxError as error:
        return f"{file}{f', line {error.lineno}' if error.lineno else ''}: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError):
        return None


def _defined(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """The names that statements define, also below `if` and `try`."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield (alias.asname or alias.name).partition(".")[0], node
        else:
            stored = (each for each in ast.walk(node) if isinstance(each, ast.Name))
            yield from ((each.id, node) for each in stored if isinstance(each.ctx, ast.Store))
            for part in ("body", "orelse", "handlers", "finalbody"):
                yield from _defined([each for each in getattr(node, part, []) if _is_block(each)])


def _is_block(node: ast.AST) -> bool:
    return isinstance(node, ast.stmt | ast.ExceptHandler)


def _fits(given: ast.arguments) -> bool:
    """True if a function with these parameters can be called with four arguments."""
    most = len(given.posonlyargs) + len(given.args)
    needed = most - len(given.defaults)
    named = [value for value in given.kw_defaults if value is None]
    return needed <= ARGUMENTS and (most >= ARGUMENTS or given.vararg is not None) and not named
