"""MLflow: what its site writes as CSV."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sweep.importing.fields import Field
from sweep.importing.tools.export import Asked, Export

if TYPE_CHECKING:
    import pandas as pd

_SITE = {"Run ID", "Name", "Status", "Source Type"}
_CHART = {"Run", "Run ID"}
_ESCAPED = r"^'(?=[=+\-@])"
"""The site puts an apostrophe before a cell that a spreadsheet could run, also before `-0.5`."""


def read_site(frame: pd.DataFrame, asked: Asked) -> Export | None:  # noqa: ARG001  (as others)
    """Take away the apostrophes before negative numbers, in the tables that the site writes.

    The table of a chart has the name of the run in `Run`.
    """
    is_chart = set(frame.columns) >= _CHART
    if not is_chart and not set(frame.columns) >= _SITE:
        return None
    plain = frame.apply(
        lambda column: column.astype(object).replace(re.compile(_ESCAPED), "", regex=True)
    )
    columns = {Field.ARM: "Run"} if is_chart else {}
    return Export(frame=plain, tool="an export of MLflow", columns=columns)
