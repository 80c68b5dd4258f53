"""Texts that a script prints, as its source has them: literal text and the fields between."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass

_PRINTING = frozenset({"print", "info", "warning", "log", "write", "echo", "debug"})
_PERCENT = re.compile(r"%(?:\((\w+)\))?[-+ #0]*\d*(?:\.\d+)?[diouxXeEfFgGrs]")
_WIDTH = re.compile(r"[ >^=+-]*\d")
"""Begins a format with a width: `8.4f`, `>8`."""


@dataclass(frozen=True)
class Field:
    """A value between the literal texts."""

    source: str
    """Its expression."""
    may_be_padded: bool = False
    """True if blanks may stand before it."""


Printed = list[str | Field]
"""Literal text and fields in their order."""


def printed_texts(tree: ast.Module) -> Iterator[tuple[int, Printed]]:
    """Each printed text with fields, and the line where it is printed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called_name(node.func) in _PRINTING and node.args:
            pieces = _joined(node.args)
            if any(isinstance(piece, Field) for piece in pieces):
                yield node.lineno, pieces


def called_name(called: ast.expr) -> str:
    """The last name of what is called: `info` for `log.info`; empty for another expression."""
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def _joined(arguments: list[ast.expr]) -> Printed:
    """The text that `print` makes of its arguments, or a logger of a format and its values."""
    first = arguments[0]
    if len(arguments) > 1 and isinstance(first, ast.Constant) and "%" in str(first.value):
        return _percent(str(first.value), arguments[1:])
    pieces: Printed = []
    for number, argument in enumerate(arguments):
        pieces += [" ", *_pieces(argument)] if number else _pieces(argument)
    return pieces


def _pieces(node: ast.expr) -> Printed:
    """The literal texts and fields of an expression that is printed."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return [piece for each in node.values for piece in _pieces(each)]
    if isinstance(node, ast.FormattedValue):
        spec = ast.unparse(node.format_spec)[2:] if node.format_spec else ""
        return [Field(ast.unparse(node.value), bool(_WIDTH.match(spec)))]
    if isinstance(node, ast.BinOp) and (found := _operation(node)):
        return found
    if isinstance(node, ast.Call) and called_name(node.func) == "format":
        return _formatted(node)
    return [Field(ast.unparse(node))]


def _operation(node: ast.BinOp) -> Printed:
    """The pieces of `text % values` and `text + text`; empty for another operation."""
    if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
        values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        return _percent(str(node.left.value), values)
    if isinstance(node.op, ast.Add):
        return [*_pieces(node.left), *_pieces(node.right)]
    return []


def _percent(text: str, values: list[ast.expr]) -> Printed:
    """The pieces of `text % values`."""
    pieces: Printed = []
    rest, end = list(values), 0
    for found in _PERCENT.finditer(text):
        source = found[1] or (ast.unparse(rest.pop(0)) if rest else "")
        pieces += [text[end : found.start()], Field(source, bool(re.search(r"%\s*\d", found[0])))]
        end = found.end()
    return [*pieces, text[end:]]


def _formatted(node: ast.Call) -> Printed:
    """The pieces of `"...".format(...)`."""
    text = node.func.value if isinstance(node.func, ast.Attribute) else None
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        return [Field(ast.unparse(node))]
    pieces: Printed = []
    values = [ast.unparse(each) for each in node.args]
    try:
        for literal, name, spec, _ in string.Formatter().parse(text.value):
            pieces.append(literal)
            if name is not None:
                source = name or (values.pop(0) if values else "")
                pieces.append(Field(source, bool(_WIDTH.match(spec or ""))))
    except ValueError:
        return [Field(ast.unparse(node))]
    return pieces
