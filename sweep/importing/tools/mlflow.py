"""MLflow: what its site writes as CSV."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sweep.importing.tools.export import Asked, Export

if TYPE_CHECKING:
    import pandas as pd

_SITE = {"Run ID", "Name", "Status", "Source Type"}
_CHART = {"Run", "Run ID"}
_ESCAPED = r"^'(?=[=+\-@])"
"""The site puts an apostrophe before a cell that a spreadsheet could run, also before `-0.5`."""


def read_site(frame: pd.DataFrame, asked: Asked) -> Export | None:  # noqa: ARG001  (as others)
    """Take away the apostrophes before negative numbers, in the tables that the site writes."""
    if not (set(frame.columns) >= _SITE or set(frame.columns) >= _CHART):
        return None
    return Export(
        frame=frame.apply(
            lambda column: column.astype(object).replace(re.compile(_ESCAPED), "", regex=True)
        ),
        tool="an export of MLflow",
    )
