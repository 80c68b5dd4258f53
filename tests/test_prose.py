"""Docstrings and comments are plain statements, and results have types: measured per package."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.sources import PACKAGES, ROOT

VAGUE = re.compile(r"\b(nobody|somebody|anybody|whoever)\b", re.IGNORECASE)
FRAGMENT = re.compile(r"(What|Of|Whether|Those|As)\b")
KEY = re.compile(r"""(?<=[\w)\]])\[["'][a-z_]+["']\]""")


def sources(package: str) -> list[str]:
    return [path.read_text() for path in sorted((ROOT / package).rglob("*.py"))]


def docstrings(source: str) -> Iterator[str]:
    """Those of modules, classes and functions, and the texts below fields and constants."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for each in node.body:
                if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                    yield str(each.value.value).strip()


def comments(source: str) -> Iterator[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    yield from (token.string for token in tokens if token.type == tokenize.COMMENT)


@pytest.mark.parametrize("package", PACKAGES)
def test_at_most_three_words_in_ten_thousand_leave_open_who_is_meant(package: str) -> None:
    prose = [
        text for source in sources(package) for text in (*docstrings(source), *comments(source))
    ]
    words = sum(len(text.split()) for text in prose)
    assert words > 1000
    assert sum(len(VAGUE.findall(text)) for text in prose) <= 3 * words / 10_000


@pytest.mark.parametrize("package", PACKAGES)
def test_at_most_one_docstring_in_twenty_begins_as_a_fragment(package: str) -> None:
    texts = [text for source in sources(package) for text in docstrings(source)]
    assert len(texts) > 100
    assert sum(bool(FRAGMENT.match(text)) for text in texts) <= len(texts) / 20


def test_sweep_looks_up_at_most_a_hundred_values_by_a_string_key() -> None:
    assert sum(len(KEY.findall(source)) for source in sources("sweep")) <= 100
