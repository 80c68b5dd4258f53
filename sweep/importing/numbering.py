"""Seeds as numbers: the store pairs runs by them, so every run needs one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.importing.run_table import RunTable

if TYPE_CHECKING:
    import pandas as pd


def number_seeds(
    table: RunTable, top: int, labels: Mapping[str, int], *, paired: bool
) -> tuple[pd.Series[Any], dict[str, int]]:
    """Give every run a seed: its own, or the next number that is free, in the order of the file.

    `top` is the largest seed that the study has. `labels` are the numbers that stand for seeds
    that are not numbers; if runs are `paired`, equal labels have equal numbers. Returns the seeds
    and all labels.
    """
    import pandas as pd

    if table.seed.notna().all():
        return table.seed.astype("int64"), dict(labels)
    known, numbers = dict(labels), []
    given = table.seed.dropna()
    top = max([top, *known.values(), int(given.max()) if len(given) else 0])
    order = table.row.to_numpy().argsort()
    own, names = table.seed.take(order).tolist(), table.label.take(order).tolist()
    for seed, label in zip(own, names, strict=True):
        number = seed if isinstance(seed, int) else known.get(label)
        if number is None:
            top = number = top + 1
            if paired and isinstance(label, str):
                known[label] = number
        numbers.append(number)
    seeds = pd.Series(numbers, index=order, dtype="int64").sort_index()
    return seeds, known
