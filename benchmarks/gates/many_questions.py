"""Gates on the claims about many arms: negligible, better and worse, each held at alpha."""

from __future__ import annotations

import numpy as np

from analysis.exchange import fieller
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_most, between
from benchmarks.many_questions import DELTA, intervals_missed, studies_at
from benchmarks.simulation import COVERAGE, FAMILYWISE, SEEDS

ARMS = 8
SCALES = (0.1, 0.3, 1.0)
"""Times the measured spreads; with small ones, "negligible" is within reach."""
HOLM = (
    "Holm's intervals hold arm by arm: where all eight arms are decided, one of them misses in a "
    "tenth of studies; Bonferroni's hold for all at once"
)


def wrong_claims(settings: Settings) -> list[Line]:
    """Eight arms at the smallest effect; four of them at it and four at zero."""
    lines = []
    half = np.where(np.arange(ARMS) % 2 == 0, 0.0, DELTA)
    for seeds, scale in [(n, s) for n in SEEDS for s in SCALES]:
        cell = f"{seeds} seeds, spreads x{scale:g}"
        _, at_delta = studies_at(np.full(ARMS, DELTA), seeds, settings.studies, scale)
        rate = Rate.of(at_delta.called_negligible.any(axis=1))
        lines.append(at_most(f"any negligible of eight at delta: {cell}", rate, FAMILYWISE))
        _, mixed = studies_at(half, seeds, settings.studies, scale)
        wrong = (mixed.called_negligible & (half == DELTA)) | (mixed.called_real & (half == 0))
        rate = Rate.of(wrong.any(axis=1))
        lines.append(at_most(f"any wrong of either kind, half at delta: {cell}", rate, FAMILYWISE))
    return lines


def missed_intervals(settings: Settings) -> list[Line]:
    """Studies in which any of eight printed intervals misses the true effect."""
    none, large = np.zeros(ARMS), np.full(ARMS, 0.5)
    return [
        at_most(
            f"any of eight intervals misses, {name}: {seeds} seeds",
            Rate.of(intervals_missed(effects, seeds, settings.studies, correction).any(axis=1)),
            FAMILYWISE,
            known,
        )
        for seeds in SEEDS
        for name, effects, correction, known in (
            ("Holm, no effects", none, "holm", ""),
            ("Holm, large effects", large, "holm", HOLM),
            ("Bonferroni, large effects", large, "bonferroni", ""),
        )
    ]


def worth_in_tokens(settings: Settings) -> list[Line]:
    """Coverage of the interval of an effect in tokens, by Fieller, where the slope is known enough.

    The slope is -0.1 nats per log token with a spread of 0.01 over seeds; effects have a spread of
    0.004, and a part that is common to both.
    """
    lines = []
    for seeds in SEEDS:
        generator, shape = np.random.default_rng(seeds), (settings.studies, seeds)
        slopes = -0.1 + 0.01 * generator.standard_normal(shape)
        effects = 0.1 * slopes - 0.01 + 0.004 * generator.standard_normal(shape)
        truth = 0.1 + 0.01 / 0.1
        pairs = zip(effects, slopes, strict=True)
        ends = [found for d, b in pairs if (found := fieller(d, b, 0.05))]
        covered = Rate.of([low <= truth <= high for low, high in ends])
        lines.append(between(f"interval of the worth in tokens: {seeds} seeds", covered, COVERAGE))
    return lines
