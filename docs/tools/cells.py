"""The cells of a notebook as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent


def cells_of_notebook(name: str) -> str:
    """Text, code and output of a notebook under docs/, without its title."""
    cells = json.loads((DOCS / name).read_text())["cells"]
    texts = [part for cell in cells for part in _parts(cell)]
    return "\n\n".join(texts).partition("\n\n")[2]


def _parts(cell: dict[str, Any]) -> list[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [source]
    outputs = ["".join(each["data"]["text/plain"]) for each in cell["outputs"] if "data" in each]
    return [f"```python\n{source}\n```", *(f"```text\n{output}\n```" for output in outputs)]
