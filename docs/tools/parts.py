"""The generated parts of pages: where they stand, and what writes each kind.

A part stands between `<!-- generated: KIND NAME -->` and `<!-- end generated -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.tools.cells import cells_of_notebook
from docs.tools.commands import example_and_options
from docs.tools.database import columns_of_table
from docs.tools.fields import fields_of_section
from docs.tools.notebook import columns_of_function

DOCS = Path(__file__).parent.parent
PAGES = sorted(DOCS.glob("*.md"))
KINDS: Mapping[str, Callable[[str], str]] = {
    "options": example_and_options,
    "fields": fields_of_section,
    "table": columns_of_table,
    "columns": columns_of_function,
    "notebook": cells_of_notebook,
}
"""What writes a part, by kind; it is given the name in the marker."""
PART = re.compile(
    r"(?P<start><!-- generated: (?P<kind>\w+) (?P<name>[^>]*?) -->\n).*?(?P<end><!-- end generated -->)",
    re.DOTALL,
)


def written(page: str) -> str:
    """The text of a page with its generated parts as the code has them now.

    Raises KeyError for a kind or a name that does not exist.
    """
    return PART.sub(_part, page)


def names(page: str, kind: str) -> list[str]:
    """Names of the parts of a kind that a page has, in their order."""
    return [part["name"] for part in PART.finditer(page) if part["kind"] == kind]


def _part(found: re.Match[str]) -> str:
    text = KINDS[found["kind"]](found["name"])
    return f"{found['start']}\n{text}\n\n{found['end']}"
