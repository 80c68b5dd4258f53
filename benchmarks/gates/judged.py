"""A gate on the noise of judged scores: coverage of intervals, variances, and the bias of a place."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.scores import ScoreNoise, position_bias, score_noise
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_least, is_true

COVERAGE = 0.94
STUDIES = 1000
"""At most: mixed models are fitted one by one."""
EFFECT = 1.0
BIAS = 5.0
"""Points that the simulated judge gives to the first of two places."""
BIAS_STUDIES = 200
"""At most."""
STANDARD_ERRORS = 4.0
"""Monte Carlo standard errors by which a mean may differ from the truth."""


class Cell(NamedTuple):
    """A layout, and the standard deviations of a difference to the baseline, in points."""

    seeds: int
    items: int
    repeats: int
    sds: tuple[float, float, float, float]
    """Of seeds, of items, of seed x item, and of repeats."""


CELLS = (
    Cell(3, 40, 1, (2, 3, 5, 0)),
    Cell(5, 110, 1, (1, 3, 6, 0)),
    Cell(5, 40, 3, (2, 3, 5, 4)),
    Cell(3, 110, 2, (0, 3, 6, 4)),
    Cell(8, 20, 2, (2, 0, 5, 4)),
)


def judged(settings: Settings) -> list[Line]:
    """Each cell, and the bias of a judge that favours the first place."""
    lines, studies = [], min(settings.studies, STUDIES)
    for number, cell in enumerate(CELLS):
        random = np.random.default_rng(number)
        found = [score_noise(draw(cell, random), "baseline")["arm"] for _ in range(studies)]
        name = (
            f"{cell.seeds} seeds, {cell.items} items, {cell.repeats} repeats, sds {cell.sds} of "
            "seeds, items, both, repeats"
        )
        held = Rate.of([each.ci_low <= EFFECT <= each.ci_high for each in found])
        lines += [at_least(f"coverage: {name}", held, COVERAGE), _parts(name, cell, found)]
    return [*lines, _bias(min(settings.studies, BIAS_STUDIES))]


def _parts(name: str, cell: Cell, found: list[ScoreNoise]) -> Line:
    """Kept if the mean estimate of each variance is the true one, up to chance and a tenth.

    Variances of 0 do not count: estimates are never below 0, so their mean is above it.
    """
    seeds, items, both, repeats = (sd**2 for sd in cell.sds)
    truth = np.array([seeds, items, both])
    got = np.array([[each.sd_seeds, each.sd_items, each.sd_rest] for each in found]) ** 2
    if cell.repeats > 1:
        truth = np.append(truth, repeats)
        got = np.column_stack([got, [(each.sd_repeats or 0.0) ** 2 for each in found]])
    mean, error = got.mean(0), got.std(0, ddof=1) / math.sqrt(len(found))
    kept = bool(np.all((np.abs(mean - truth) <= STANDARD_ERRORS * error + truth / 10)[truth > 0]))
    figure = ", ".join(f"{m:.2f} of {t:.0f}" for m, t in zip(mean, truth, strict=True))
    return is_true(f"mean variances within a tenth: {name}", figure, kept=kept)


def _bias(studies: int) -> Line:
    random = np.random.default_rng(len(CELLS))
    cell = Cell(3, 40, 2, (2, 3, 5, 4))
    found = [position_bias(draw(cell, random, BIAS))[0] for _ in range(studies)]
    biases = np.array([each.bias for each in found])
    mean, error = float(biases.mean()), float(biases.std(ddof=1) / math.sqrt(len(found)))
    stated = math.sqrt(float(np.mean([each.se**2 for each in found])))
    kept = abs(mean - BIAS / 2) <= STANDARD_ERRORS * error
    figure = f"{mean:+.3f} of {BIAS / 2:+.3f}; sd {biases.std(ddof=1):.3f}, stated {stated:.3f}"
    return is_true("bias of the first of two places", figure, kept=kept)


def draw(cell: Cell, random: np.random.Generator, bias: float = 0.0) -> pd.DataFrame:
    """Scores of a baseline and an arm, whose places in the prompts alternate."""
    shape = cell[:3]
    seeds, items = shape[:2]
    of_seed, of_item, of_both, of_repeat = cell.sds
    baseline = np.broadcast_to(50 + random.normal(0, 20, items)[:, None], shape)
    difference = (
        EFFECT
        + random.normal(0, of_seed, (seeds, 1, 1))
        + random.normal(0, of_item, (1, items, 1))
        + random.normal(0, of_both, (seeds, items, 1))
        + random.normal(0, of_repeat, shape)
    )
    index: NDArray[np.int64] = np.indices(shape).reshape(3, -1)
    first = (index.sum(0) + random.integers(2)) % 2
    tables = []
    for name, scores, place in (
        ("baseline", baseline, first),
        ("arm", baseline + difference, 1 - first),
    ):
        columns = dict(zip(("seed", "item", "repeat"), index, strict=True))
        score = scores.ravel() + bias * (place == 0)
        tables.append(pd.DataFrame({"arm": name, **columns, "position": place, "score": score}))
    return pd.concat(tables)
