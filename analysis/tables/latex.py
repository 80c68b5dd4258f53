"""LaTeX texts and tables for pdfLaTeX, XeLaTeX and LuaLaTeX; special characters are escaped."""

import re
from collections.abc import Sequence

from .table import Column, T

PREAMBLE = r"% Needs \usepackage{booktabs}."

_ESCAPES = str.maketrans(
    {
        **{mark: rf"\{mark}" for mark in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "`": r"\textasciigrave{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"{\char34}",  # babel makes it an active character
        "[": "{[}",  # after the end of a row, a bracket or a star begins an option
        "*": "{*}",
        "−": "$-$",
        "×": r"$\times$",
        "±": r"$\pm$",
        "→": r"$\to$",
        "…": r"\ldots{}",
    }
)
_UNSUPPORTED = re.compile("[^ -~À-ÏÑ-Ýß-ïñ-ýÿ]+")
"""Characters that pdfLaTeX cannot set in its default encoding."""


def latex_text(text: str) -> str:
    """Escape a text for LaTeX; the part between a pair of backquotes is set as code."""
    *pairs, last = re.split("`([^`]+)`", text)
    parts = [*pairs, last]
    return "".join(
        rf"\texttt{{{_escaped(part)}}}" if place % 2 else _escaped(part)
        for place, part in enumerate(parts)
    )


def latex_table(columns: Sequence[Column[T]], rows: Sequence[T]) -> str:
    """A table in the style of the booktabs package."""
    lines = [
        r"\begin{center}\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{tabular}}{{{''.join(column.justify[0] for column in columns)}}}",
        r"\toprule",
        _row([column.title for column in columns]),
        r"\midrule",
        *(_row([column.cell(row) for column in columns]) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{center}",
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return " & ".join(_escaped(cell) for cell in cells) + r" \\"


def _escaped(text: str) -> str:
    """Escape commands and ligatures; a hyphen before a number becomes a minus sign."""
    text = re.sub(r"(?<![\w-])-(?=[\d.])", "−", text)
    written = _UNSUPPORTED.sub(_by_number, text.translate(_ESCAPES))
    return re.sub(r"([-',])(?=\1)", r"\1{}", written)


def _by_number(found: re.Match[str]) -> str:
    """The characters themselves, or their code points under pdfLaTeX, which has no glyphs for them."""
    numbers = " ".join(f"U+{ord(character):04X}" for character in found[0])
    return rf"{{\ifdefined\Umathchar {found[0]}\else {numbers}\fi}}"
