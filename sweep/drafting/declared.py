"""Flags that a script declares, read from its text: argparse, click, absl, dataclasses, globals."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sweep.drafting.printed import called_name

PLAIN = (bool, int, float, str)
"""Types of values that a parameter can have."""
_TYPES: Mapping[str, type] = {"int": int, "float": float, "str": str, "bool": bool}
_BARE_ACTIONS = frozenset({"store_true", "store_false", "count", "store_const"})
_READS_DATACLASSES = re.compile(r"HfArgumentParser|tyro|simple_parsing|jsonargparse|draccus")
_READS_GLOBALS = re.compile(r"configurator|globals\(\)")


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A flag that a script declares."""

    names: tuple[str, ...]
    """As they are typed: `-b`, `--batch-size`."""
    kind: type | None = None
    """The type of its values, if the script says so."""
    default: Any = None
    choices: tuple[Any, ...] = ()
    is_bare: bool = False
    """True if it takes no value."""
    is_pair: bool = False
    """True if `--no-` before its name turns it off."""
    takes_several: bool = False

    @property
    def flag(self) -> str:
        """Its long name."""
        return max(self.names, key=len)


def declared_flags(tree: ast.Module, text: str) -> list[Declared]:
    """The flags that a script's text declares, in their order."""
    found = [
        flag for node in ast.walk(tree) if isinstance(node, ast.Call) for flag in _of_call(node)
    ]
    if _READS_DATACLASSES.search(text):
        found += _of_dataclasses(tree)
    if _READS_GLOBALS.search(text):
        found += _of_globals(tree)
    return found


def by_name(flags: list[Declared]) -> dict[str, Declared]:
    """Flags by each of their names; `_` and `-` are the same."""
    return {normal(name): flag for flag in reversed(flags) for name in flag.names}


def normal(flag: str) -> str:
    """A flag's name for comparisons: `--batch_size` and `--batch-size` are the same."""
    return flag.replace("_", "-")


def _of_call(node: ast.Call) -> Iterator[Declared]:
    """The flag that a call declares."""
    called = called_name(node.func)
    words = [each.value for each in node.args if isinstance(each, ast.Constant)]
    texts = [word for word in words if isinstance(word, str)]
    if called.startswith("DEFINE_") and texts:
        kind = _TYPES.get({"integer": "int", "string": "str"}.get(called[7:], called[7:]))
        default = words[1] if len(words) > 1 and isinstance(words[1], PLAIN) else None
        yield Declared(names=(f"--{texts[0]}",), kind=kind, default=default)
    names = tuple(name for each in texts if each.startswith("-") for name in each.split("/"))
    if called in {"add_argument", "option"} and names:
        yield _of_keywords(names[:2], {each.arg: each.value for each in node.keywords if each.arg})


def _of_keywords(names: tuple[str, ...], keywords: Mapping[str, ast.expr]) -> Declared:
    """The flag that an `add_argument` of argparse, or an `option` of click, declares."""
    action = _word(keywords.get("action"))
    several = _word(keywords.get("nargs"))
    default = _literal(keywords.get("default"))
    named = _TYPES.get(_word(keywords.get("type")))
    is_bare = action in _BARE_ACTIONS or _literal(keywords.get("is_flag")) is True
    choices = _literal(keywords.get("choices"))
    return Declared(
        names=names,
        kind=named or (type(default) if isinstance(default, PLAIN) else None),
        default=default if isinstance(default, PLAIN) else None,
        choices=tuple(choices) if isinstance(choices, list | tuple) else (),
        is_bare=is_bare,
        is_pair="BooleanOptionalAction" in action or any("--no-" in name for name in names),
        takes_several=bool(several) and several != "?",
    )


def _of_dataclasses(tree: ast.Module) -> Iterator[Declared]:
    """Fields of dataclasses, as HfArgumentParser and the like read them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(
            "dataclass" in ast.unparse(each) for each in node.decorator_list
        ):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield _typed(
                        f"--{field.target.id}", _literal(field.value), ast.unparse(field.annotation)
                    )


def _of_globals(tree: ast.Module) -> Iterator[Declared]:
    """Globals with plain values, as nanoGPT's configurator sets them: those that stand before it."""
    for node in tree.body:
        if isinstance(node, ast.Expr) and _READS_GLOBALS.search(ast.unparse(node)):
            return
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value, name = _literal(node.value), node.targets[0].id
            if isinstance(value, PLAIN) and not name.startswith("_"):
                yield _typed(f"--{name}", value, type(value).__name__)


def _typed(flag: str, default: Any, annotation: str) -> Declared:  # noqa: ANN401  (any literal)
    kept = default if isinstance(default, PLAIN) else None
    return Declared(names=(flag,), kind=_TYPES.get(annotation), default=kept)


def _word(node: ast.expr | None) -> str:
    """The source of an expression, without quotes."""
    return "" if node is None else ast.unparse(node).strip("'\"")


def _literal(node: ast.expr | None) -> Any:  # noqa: ANN401  (any literal)
    """The value of an expression; None if it is not a literal, or a product such as `5 * 8`."""
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
