"""Texts and tables as LaTeX that every engine compiles: what a name holds comes out as text."""

import re
from collections.abc import Sequence

from analysis.tables.table import Column, Row

PREAMBLE = r"% Needs \usepackage{booktabs}."

_WRITTEN = str.maketrans(
    {
        **{mark: rf"\{mark}" for mark in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "`": r"\textasciigrave{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"{\char34}",  # babel has uses of its own for it
        "[": "{[}",  # after the end of a row it would begin an option, as a star would
        "*": "{*}",
        "−": "$-$",
        "×": r"$\times$",
        "±": r"$\pm$",
        "→": r"$\to$",
        "…": r"\ldots{}",
    }
)
_UNKNOWN = re.compile("[^ -~À-ÏÑ-Ýß-ïñ-ýÿ]+")
"""What pdfLaTeX does not set in the encoding that it starts with."""


def latex_text(text: str) -> str:
    """A text for LaTeX; between a pair of backquotes it is set as code."""
    *pairs, last = re.split("`([^`]+)`", text)
    parts = [*pairs, last]
    return "".join(
        rf"\texttt{{{_escaped(part)}}}" if place % 2 else _escaped(part)
        for place, part in enumerate(parts)
    )


def latex_table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A table in the manner of booktabs."""
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
    """Every character as itself: no command, no ligature, and a hyphen before a number a minus."""
    text = re.sub(r"(?<![\w-])-(?=[\d.])", "−", text)
    written = _UNKNOWN.sub(_by_number, text.translate(_WRITTEN))
    return re.sub(r"([-',])(?=\1)", r"\1{}", written)


def _by_number(found: re.Match[str]) -> str:
    """The characters, or their numbers where pdfLaTeX would stop at them."""
    numbers = " ".join(f"U+{ord(character):04X}" for character in found[0])
    return rf"{{\ifdefined\Umathchar {found[0]}\else {numbers}\fi}}"
