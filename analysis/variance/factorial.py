"""Main effects and interactions of two-level factorials.

Box, Hunter and Hunter (1978), Statistics for Experimenters, chapter 10: the effect of a factor is
the mean at its high level less the mean at its low one, averaged over the other factors.
"""

from collections.abc import Sequence
from itertools import combinations
from math import fsum

import numpy as np
import pandas as pd

from ..digits import centred


def factorial_effects(
    frame: pd.DataFrame, factors: Sequence[str], value: str = "loss", most: int | None = None
) -> dict[str, float]:
    """Effects by name ("A", "A:B", ...), in the unit of the values, main effects first.

    Each factor has two levels; the one that sorts last is the high level. `most` is the largest
    number of factors in an interaction, by default all. In a fractional factorial, an interaction
    is the sum of all that it is aliased with. Repeated runs are averaged. If there is a column
    `status`, rows that are not done are left out. Raises ValueError for a missing column, a factor without two levels, values that are not
    finite, or factors whose high and low halves are not balanced over each other.
    """
    absent = [name for name in (value, *factors) if name not in frame.columns]
    if absent:
        raise ValueError(f"there is no column {absent[0]!r}; there are {list(frame.columns)}")
    done = frame[frame["status"] == "done"] if "status" in frame.columns else frame
    signs = {factor: _signs(done[factor], factor) for factor in factors}
    _check_balance(signs)
    values = done[value].to_numpy(float)
    if not np.isfinite(values).all():
        raise ValueError(f"{value!r} must hold finite values, and no others")
    offsets = centred(values)
    terms = [
        chosen
        for size in range(1, (most or len(factors)) + 1)
        for chosen in combinations(factors, size)
    ]
    columns = {":".join(term): np.prod([signs[f] for f in term], axis=0) for term in terms}
    return {
        name: 2 * fsum((column * offsets).tolist()) / values.size
        for name, column in columns.items()
        if abs(column.sum())
        < values.size  # a constant product is a defining relation of the fraction
    }


def _signs(levels: pd.Series, factor: str) -> np.ndarray:
    known = sorted(levels.unique())
    if len(known) != 2:
        raise ValueError(f"factor {factor!r} has {len(known)} levels; a two-level factorial has 2")
    return np.where(levels.to_numpy() == known[1], 1.0, -1.0)


def _check_balance(signs: dict[str, np.ndarray]) -> None:
    for name, column in signs.items():
        if column.sum() != 0:
            raise ValueError(
                f"factor {name!r} is not at each level equally often; complete the runs"
            )
    for (first, x), (second, y) in combinations(signs.items(), 2):
        if x @ y != 0:
            raise ValueError(
                f"{first!r} and {second!r} are not balanced over each other; complete the runs"
            )
